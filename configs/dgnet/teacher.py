# The teacher of DG-Net: plain identity classification on the real training images.
# python tools/train.py configs/dgnet/teacher.py
# python tools/train.py configs/dgnet/teacher.py recipe=paper data=market1501
# A map twice as fine: model.backbone.last_stride=1
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
groups = dict(data="synthped_few_shot")  # few crops a person: what composites are for
model = dict(
    type="ReIDModel",
    head=dict(type="dgnet/BottleneckHead", pool="avg"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop", edge=True),
            normalize=dict(type="Normalize"),
        ),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
recipes = dict(
    quick=dict(
        model=dict(head=dict(dim=128), transforms=dict(train=dict(crop=dict(pad=5)))),
        train=dict(
            epochs=14,
            batch_size=32,
            optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
            schedule=dict(type="one_cycle", pct_start=0.3),
        ),
    ),
    long=dict(
        model=dict(head=dict(dim=128), transforms=dict(train=dict(crop=dict(pad=5)))),
        train=dict(
            epochs=28,
            batch_size=32,
            optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
            schedule=dict(type="one_cycle", pct_start=0.3),
        ),
    ),
    finetune=dict(
        model=dict(
            head=dict(dim=512),
            transforms=dict(
                train=dict(crop=dict(pad=8), erase=dict(type="RandomErasing", p=0.5)),
            ),
        ),
    ),
    # the public baseline from which DG-Net's authors took their teacher: stride 2, average pooling,
    # SGD 0.05 on the head and a tenth of it on the backbone, 60 epochs, x 0.1 after 40
    paper=dict(
        model=dict(
            backbone=dict(last_stride=2),
            head=dict(dim=512),
            transforms=dict(train=dict(crop=dict(pad=10))),
        ),
        train=dict(
            epochs=60,
            optimizer=dict(type="SGD", lr=0.005, momentum=0.9, weight_decay=5e-4, nesterov=True),
            lr_mult={"*": 10.0, "backbone.*": 1.0},
            schedule=dict(milestones=[40]),
        ),
    ),
)
