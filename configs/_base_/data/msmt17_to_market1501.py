# MSMT17 V1 to Market-1501. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="msmt17_to_market1501",
    domains=dict(
        source=dict(type="MSMT17"),
        target=dict(type="Market1501"),
    ),
    tests=["source", "target"],
)
