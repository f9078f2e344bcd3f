# Market-1501 to CUHK03-NP detected. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501_to_cuhk03np",
    domains=dict(
        source=dict(type="Market1501"),
        target=dict(type="CUHK03NP", part="detected"),
        # COCO crops in the style of the source
        parts_styled=dict(type="CocoPersons", styled="market1501", masks="masks_7_parts/train"),
    ),
    tests=["source", "target"],
)
