# QAConv-GS (version 2.1): batches of a class and its nearest classes, batch-hard triplets on the
# matcher's scores. Needs no part labels.
# python tools/train.py configs/qaconv/qaconv_gs.py
# python tools/train.py configs/qaconv/qaconv_gs.py recipe=paper data=market1501_to_msmt17
# All pairs as in version 2.0: model.losses.match.loss=qaconv/PairwiseMatchingLoss
_base_ = ["../_base_/default.py"]
plugins = ["qaconv"]
model = dict(
    type="ReIDModel",
    head=dict(type="qaconv/QAConvHead"),
    losses=dict(
        match=dict(domain="source", loss=dict(type="qaconv/ScoreTripletLoss", margin=16.0))
    ),
    matcher=dict(type="qaconv/QAConvMatcher"),
    # pixels of 0..1: no version of the released code normalises further
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            occlusion=dict(type="qaconv/RandomOcclusion"),
            normalize=dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        ),
        test=dict(normalize=dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))),
    ),
)
train = dict(sampler=dict(type="qaconv/GraphSampler", k=2), clip_grad=8.0)
recipes = dict(
    quick=dict(
        model=dict(
            head=dict(dim=64),
            transforms=dict(
                train=dict(
                    jitter=dict(
                        type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2
                    ),
                    occlusion=dict(max_size=0.5),  # the jitter comes before it
                )
            ),
        )
    ),
    # an epoch of graph sampling is as many batches as identities
    finetune=dict(
        model=dict(
            backbone=dict(stages=4),  # stride 16: a map of 12 x 6
            head=dict(dim=128),
            transforms=dict(
                train=dict(
                    crop=dict(type="RandomCrop", pad=8),
                    occlusion=dict(max_size=0.5),
                    normalize=dict(_delete_=True, type="Normalize"),  # as the weights want it
                ),
                test=dict(normalize=dict(_delete_=True, type="Normalize")),
            ),
        ),
        train=dict(epochs=4),
    ),
    paper=dict(
        model=dict(
            head=dict(dim=128),
            transforms=dict(
                train=dict(
                    crop=dict(type="RandomCrop", pad=10),
                    flip=dict(),
                    rotation=dict(type="qaconv/RandomRotation", degrees=5.0),
                    jitter=dict(type="qaconv/FactorJitter", low=0.5, high=2.0, hue=0.1),
                    occlusion=dict(max_size=0.8),
                )
            ),
        ),
        # ends training, usually after 4 to 20 epochs
        hooks=dict(schedule=dict(type="qaconv/AdaptiveSchedule")),
    ),
)
