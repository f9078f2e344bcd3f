# Market-1501 to CUHK03-NP detected. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501_to_cuhk03np",
    domains=dict(
        source=dict(type="Market1501"),
        target=dict(type="CUHK03NP", part="detected"),
    ),
    tests=["source", "target"],
)
