# PCB: six horizontal stripes, maximum in each. What part alignment is measured against. Needs no
# part labels.
# python tools/train.py configs/eanet/pcb.py
# python tools/train.py configs/eanet/pcb.py recipe=paper data=market1501_to_dukemtmcreid
# As in the original PCB paper: model.head.pool=avg
_base_ = ["../_base_/default.py"]
plugins = ["eanet"]
model = dict(
    type="ReIDModel",
    head=dict(type="eanet/PCBHead", stripes=6),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
