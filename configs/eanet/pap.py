# PAP: nine regions of the body instead of stripes. Needs keypoints of the source and the test sets,
# which are generated when missing.
# python tools/train.py configs/eanet/pap.py
# python tools/train.py configs/eanet/pap.py recipe=paper data=market1501_to_dukemtmcreid
# The paper's d=128 row: model.head.dim=128. Control without visibility in the distance:
# model.matcher.use_visibility=False
_base_ = ["../_base_/default.py"]
plugins = ["eanet"]
model = dict(
    type="ReIDModel",
    head=dict(type="eanet/PAPHead", regions=9),
    losses=dict(id=dict(domain="source", loss=dict(type="eanet/VisibleIDLoss"))),
    matcher=dict(type="eanet/VisibilityMatcher"),
    transforms=dict(
        train=dict(
            regions=dict(type="eanet/RegionMasks"),  # before the flip, which then moves the masks
            flip=dict(type="RandomFlip", p=0.5),
            # the authors' mean, not ImageNet's (.485, .456, .406)
            normalize=dict(type="Normalize", mean=(0.486, 0.459, 0.408), std=(0.229, 0.224, 0.225)),
        ),
        test=dict(
            regions=dict(type="eanet/RegionMasks"),
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
    paper=dict(model=dict(head=dict(dim=256))),
)
