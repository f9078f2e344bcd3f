# DukeMTMC-reID to CUHK03-NP detected. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="dukemtmcreid_to_cuhk03np",
    domains=dict(
        source=dict(type="DukeMTMCreID"),
        target=dict(type="CUHK03NP", part="detected"),
    ),
    tests=["source", "target"],
)
