# MSMT17 V1 to DukeMTMC-reID. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="msmt17_to_dukemtmcreid",
    domains=dict(
        source=dict(type="MSMT17"),
        target=dict(type="DukeMTMCreID"),
    ),
    tests=["source", "target"],
)
