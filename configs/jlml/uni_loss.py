# UniLoss: both branches under one identity loss on their features side by side. What separate
# losses are measured against.
# python tools/train.py configs/jlml/uni_loss.py
# python tools/train.py configs/jlml/uni_loss.py recipe=paper data=market1501
_base_ = ["jlml.py"]
model = dict(
    head=dict(loss="uni"),
    losses=dict(
        id_global=None,
        id_local=None,
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss")),
    ),
)
