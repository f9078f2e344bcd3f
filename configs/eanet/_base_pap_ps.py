# Part-aligned pooling with part segmentation on the source. Not an experiment of its own.
_base_ = ["_base_pap.py"]
labels = dict(train=dict(source=["keypoints", "part_map"]))
model = dict(
    aux_heads=dict(ps=dict(type="eanet/PartSegHead")),
    losses=dict(
        ps=dict(domain="source", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")),
    ),
)
