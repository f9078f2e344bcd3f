# The usual way with the same backbone: the mean cell behind a batch-norm neck, trained by
# classifying the identities, compared by cosine. As many steps as QAConv-GS. No part labels.
# python tools/train.py configs/qaconv/pooled_softmax.py
# python tools/train.py configs/qaconv/pooled_softmax.py recipe=paper data=market1501_to_msmt17
# With graph sampling: train.sampler=qaconv/GraphSampler
_base_ = ["../_base_/default.py"]
plugins = ["qaconv"]
model = dict(
    type="ReIDModel",
    head=dict(type="BNNeckHead"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
train = dict(sampler=dict(type="ShuffleSampler"))
