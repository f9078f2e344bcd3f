# CUHK03-NP, detected boxes; drawn by hand: data.domains.source.part=labeled. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(
        source=dict(type="CUHK03NP", part="detected"),
        # COCO crops in the style of this set
        parts_styled=dict(type="CocoPersons", styled="cuhk03", masks="masks_7_parts/train"),
    ),
    tests=["source"],
)
