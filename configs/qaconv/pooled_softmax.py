# The usual way with the same backbone: the mean cell behind a batch-norm neck, trained by
# classifying the identities, compared by cosine. As many steps as QAConv-GS. No part labels.
# python tools/train.py configs/qaconv/pooled_softmax.py
# python tools/train.py configs/qaconv/pooled_softmax.py recipe=paper data=market1501_to_msmt17
# With graph sampling: train.sampler=qaconv/GraphSampler
_base_ = ["qaconv_gs.py"]
model = dict(
    head=dict(type="BNNeckHead"),
    losses=dict(match=None, id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
)
train = dict(sampler=dict(type="ShuffleSampler"))
# random batches: 45 steps an epoch, so twice the epochs
recipes = dict(quick=dict(train=dict(epochs=24)), finetune=dict(train=dict(epochs=20)))
