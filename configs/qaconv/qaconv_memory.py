# QAConv with class memory (version 1.x): each image is matched with the last map seen of every
# class, focal loss. Needs no part labels.
# python tools/train.py configs/qaconv/qaconv_memory.py
# python tools/train.py configs/qaconv/qaconv_memory.py recipe=paper data=market1501_to_msmt17
# Zero maps of unseen classes as negatives, as in 1.0: +model.losses.match.loss.unseen=negative
_base_ = ["_base_qaconv.py"]
model = dict(
    head=dict(norm=True),
    losses=dict(match=dict(loss=dict(_delete_=True, type="qaconv/ClassMemoryLoss"))),
    matcher=dict(symmetric=False),
)
train = dict(sampler=dict(type="ShuffleSampler"))
