# GlobalPool: one globally pooled vector. The baseline of EANet's tables. Needs no part labels.
# python tools/train.py configs/eanet/global_pool.py
# python tools/train.py configs/eanet/global_pool.py recipe=paper data=market1501
# Average in place of maximum: model.head.pool=avg
_base_ = ["pcb.py"]
model = dict(head=dict(type="eanet/GlobalHead"))
recipes = dict(
    quick=dict(model=dict(head=dict(dim=64))),  # a head of another type starts from its defaults
    finetune=dict(model=dict(backbone=dict(stages=None), head=dict(dim=512, pool="avg"))),
    # wider, on smaller images
    paper=dict(input=dict(size=(256, 128)), model=dict(head=dict(dim=512))),
)
