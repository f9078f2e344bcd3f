# The baseline of DG-Net's tables: E_a with its primary head on the same real images in the same
# batches for as many iterations, without any composite.
# python tools/train.py configs/dgnet/baseline.py
# python tools/train.py configs/dgnet/baseline.py recipe=paper data=market1501
# Average in place of maximum: model.head.pool=avg
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
model = dict(
    type="ReIDModel",
    head=dict(type="dgnet/BottleneckHead", pool="max"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
train = dict(sampler=dict(type="dgnet/PairSampler"))
