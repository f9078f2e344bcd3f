# The local branch alone: four streams on stripes, one feature.
# python tools/train.py configs/jlml/local_only.py
# python tools/train.py configs/jlml/local_only.py recipe=paper data=market1501
# Six stripes, where the height allows it: model.backbone.stripes=6
_base_ = ["_base_jlml.py", "_base_sparse_local.py"]
model = dict(
    backbone=dict(branch="local"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
)
