# DukeMTMC-reID to Market-1501. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="dukemtmcreid_to_market1501",
    domains=dict(
        source=dict(type="DukeMTMCreID"),
        target=dict(type="Market1501"),
        source_styled=dict(type="DukeMTMCreID", train_dir="bounding_box_train_market1501_style"),
        # COCO crops in the style of the source
        parts_styled=dict(type="CocoPersons", styled="duke", masks="masks_7_parts/train"),
    ),
    tests=["source", "target"],
)
