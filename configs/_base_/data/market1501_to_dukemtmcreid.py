# Market-1501 to DukeMTMC-reID. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501_to_dukemtmcreid",
    domains=dict(
        source=dict(type="Market1501"),
        target=dict(type="DukeMTMCreID"),
        source_styled=dict(type="Market1501", train_dir="bounding_box_train_duke_style"),
        # COCO crops in the style of the source
        parts_styled=dict(type="CocoPersons", styled="market1501", masks="masks_7_parts/train"),
    ),
    tests=["source", "target"],
)
