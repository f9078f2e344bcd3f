# The local branch alone: four streams on stripes, one feature.
# python tools/train.py configs/jlml/local_only.py
# python tools/train.py configs/jlml/local_only.py recipe=paper data=market1501
# Six stripes, where the height allows it: model.backbone.stripes=6
_base_ = ["jlml.py"]
model = dict(
    backbone=dict(branch="local"),
    losses=dict(
        id_global=None,
        id_local=None,
        sparse_global=None,
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss")),
    ),
)
