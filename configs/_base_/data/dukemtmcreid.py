# DukeMTMC-reID. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(
        source=dict(type="DukeMTMCreID"),
        # COCO crops in the style of this set
        parts_styled=dict(type="CocoPersons", styled="duke", masks="masks_7_parts/train"),
    ),
    tests=["source"],
)
# its training images in the style of another set
styled = dict(market1501=dict(type="DukeMTMCreID", train_dir="bounding_box_train_market1501_style"))
