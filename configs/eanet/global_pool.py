# GlobalPool: one globally pooled vector. The baseline of EANet's tables. Needs no part labels.
# python tools/train.py configs/eanet/global_pool.py
# python tools/train.py configs/eanet/global_pool.py recipe=paper data=market1501
# Average in place of maximum: model.head.pool=avg
_base_ = ["../_base_/default.py"]
plugins = ["eanet"]
model = dict(
    type="ReIDModel",
    head=dict(type="eanet/GlobalHead"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
