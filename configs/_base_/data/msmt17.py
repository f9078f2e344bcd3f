# MSMT17 V1. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="MSMT17")), tests=["source"])
