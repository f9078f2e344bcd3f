# MSMT17 V1 alone: trained and tested on one set. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="msmt17",
    domains=dict(source=dict(type="MSMT17")),
    tests=["source"],
)
