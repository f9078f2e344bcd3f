# Market-1501. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(
        source=dict(type="Market1501"),
        # COCO crops in the style of this set
        parts_styled=dict(type="CocoPersons", styled="market1501", masks="masks_7_parts/train"),
    ),
    tests=["source"],
)
# its training images in the style of another set
styled = dict(dukemtmcreid=dict(type="Market1501", train_dir="bounding_box_train_duke_style"))
