# QAConv with class memory (version 1.x): each image is matched with the last map seen of every
# class, focal loss. Needs no part labels.
# python tools/train.py configs/qaconv/qaconv_memory.py
# python tools/train.py configs/qaconv/qaconv_memory.py recipe=paper data=market1501_to_msmt17
# Zero maps of unseen classes as negatives, as in 1.0: +model.losses.match.loss.unseen=negative
_base_ = ["qaconv_gs.py"]
model = dict(
    head=dict(norm=True),
    losses=dict(match=dict(loss=dict(type="qaconv/ClassMemoryLoss"))),
    matcher=dict(symmetric=False),
)
train = dict(sampler=dict(type="ShuffleSampler"))
recipes = dict(
    # 45 steps an epoch, so more epochs; two thirds of the steps of QAConv-GS, since each takes
    # about twice as long. The optimiser of versions 1.x, without clipping: the last norm's summand
    # has to fall from 0 to about -2, so that wrong classes count as unlikely. SGD takes some 30
    # steps for that; AdamW moves a scalar by at most its rate a step and never gets there. Under
    # AdamW start it lower: +model.matcher.prior=0.01
    quick=dict(
        train=dict(
            epochs=16,
            optimizer=dict(type="SGD", lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
            clip_grad=None,
        )
    ),
    finetune=dict(
        train=dict(
            epochs=20,
            optimizer=dict(type="SGD", lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
            clip_grad=None,
        )
    ),
    # as in version 1.1: small batches, 15 epochs, batch statistics that learn. The published run
    # tries ten starts and keeps the best; here there is one
    paper=dict(
        model=dict(backbone=dict(fixed_statistics=False), head=dict(dim=64)),
        train=dict(
            epochs=15,
            batch_size=8,
            schedule=dict(type="step", milestones=[10], gamma=0.1),
            clip_grad=None,
        ),
        hooks=dict(schedule=None),
    ),
)
