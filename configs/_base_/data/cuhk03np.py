# CUHK03-NP detected alone: trained and tested on one set. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="cuhk03np",
    domains=dict(source=dict(type="CUHK03NP", part="detected")),
    tests=["source"],
)
