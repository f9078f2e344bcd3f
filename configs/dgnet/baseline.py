# The baseline of DG-Net's tables: E_a with its primary head on the same real images in the same
# batches for as many iterations, without any composite.
# python tools/train.py configs/dgnet/baseline.py
# python tools/train.py configs/dgnet/baseline.py recipe=paper data=market1501
# Average in place of maximum: model.head.pool=avg
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
model = dict(
    type="ReIDModel",
    head=dict(type="dgnet/BottleneckHead", pool="max"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop", edge=True),
            normalize=dict(type="Normalize"),
            erase=dict(type="RandomErasing", p=0.5),
        ),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
train = dict(sampler=dict(type="dgnet/PairSampler"))
recipes = dict(
    finetune=None,  # nothing to be the baseline of
    quick=dict(
        model=dict(head=dict(dim=128), transforms=dict(train=dict(crop=dict(pad=5)))),
        train=dict(
            sampler=dict(steps=35), optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01)
        ),
    ),
    paper=dict(
        model=dict(head=dict(dim=512), transforms=dict(train=dict(crop=dict(pad=10)))),
        train=dict(
            sampler=dict(steps=1000),
            optimizer=dict(type="SGD", lr=0.002, momentum=0.9, weight_decay=5e-4, nesterov=True),
            lr_mult={"*": 10.0, "backbone.*": 1.0},
        ),
    ),
)
