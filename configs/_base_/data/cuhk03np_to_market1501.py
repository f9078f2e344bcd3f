# CUHK03-NP detected to Market-1501. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="cuhk03np_to_market1501",
    domains=dict(
        source=dict(type="CUHK03NP", part="detected"),
        target=dict(type="Market1501"),
        # COCO crops in the style of the source
        parts_styled=dict(type="CocoPersons", styled="cuhk03", masks="masks_7_parts/train"),
    ),
    tests=["source", "target"],
)
