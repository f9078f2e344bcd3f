# Market-1501 to MSMT17 V1. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501_to_msmt17",
    domains=dict(
        source=dict(type="Market1501"),
        target=dict(type="MSMT17"),
    ),
    tests=["source", "target"],
)
