# The teacher of DG-Net: plain identity classification on the real training images.
# python tools/train.py configs/dgnet/teacher.py
# python tools/train.py configs/dgnet/teacher.py recipe=paper data=market1501
# A map twice as fine: model.backbone.last_stride=1
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
model = dict(
    type="ReIDModel",
    head=dict(type="dgnet/BottleneckHead", pool="avg"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
