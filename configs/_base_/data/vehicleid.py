# VehicleID, vehicles, tested on 800: ten drawings of the gallery. More of them:
# data.domains.source.vehicles=1600 or 2400. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="VehicleID", vehicles=800)), tests=["source"])
