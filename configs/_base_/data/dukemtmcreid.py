# DukeMTMC-reID alone: trained and tested on one set. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="dukemtmcreid",
    domains=dict(source=dict(type="DukeMTMCreID")),
    tests=["source"],
)
