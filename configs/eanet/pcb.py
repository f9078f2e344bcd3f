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
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            # the authors' mean, not ImageNet's (.485, .456, .406)
            normalize=dict(type="Normalize", mean=(0.486, 0.459, 0.408), std=(0.229, 0.224, 0.225)),
        ),
        test=dict(
            normalize=dict(type="Normalize", mean=(0.486, 0.459, 0.408), std=(0.229, 0.224, 0.225)),
        ),
    ),
)
recipes = dict(
    quick=dict(
        model=dict(
            head=dict(dim=64),
            transforms=dict(
                train=dict(
                    jitter=dict(
                        type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2
                    ),
                    normalize=dict(),  # the jitter comes before it
                )
            ),
        )
    ),
    finetune=dict(
        model=dict(
            backbone=dict(stages=4),  # stride 16: a map of 12 x 6
            head=dict(dim=256, pool="avg"),  # its map ends without a ReLU
            transforms=dict(
                train=dict(
                    crop=dict(type="RandomCrop", pad=8),
                    normalize=dict(),  # the crop comes before it
                    erase=dict(type="RandomErasing", p=0.5),
                )
            ),
        ),
    ),
    paper=dict(model=dict(head=dict(dim=256))),
)
