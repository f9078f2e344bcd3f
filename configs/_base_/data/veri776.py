# VeRi-776, vehicles. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="VeRi776")), tests=["source"])
