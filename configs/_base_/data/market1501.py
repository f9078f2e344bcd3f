# Market-1501 alone: trained and tested on one set. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501",
    domains=dict(source=dict(type="Market1501")),
    tests=["source"],
)
