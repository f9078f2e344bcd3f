# PAP: nine regions of the body instead of stripes. Needs keypoints of the source and the test sets,
# which are generated when missing.
# python tools/train.py configs/eanet/pap.py
# python tools/train.py configs/eanet/pap.py recipe=paper data=market1501_to_dukemtmcreid
# The paper's d=128 row: model.head.dim=128. Control without visibility in the distance:
# model.matcher.use_visibility=False
_base_ = ["pcb.py"]
model = dict(
    head=dict(type="eanet/PAPHead", regions=9),
    losses=dict(id=dict(loss=dict(type="eanet/VisibleIDLoss"))),
    matcher=dict(type="eanet/VisibilityMatcher"),
    transforms=dict(
        train=dict(
            regions=dict(type="eanet/RegionMasks"),
            flip=dict(),  # the regions come before it, so that it moves their masks
        ),
        test=dict(regions=dict(type="eanet/RegionMasks"), normalize=dict()),
    ),
)
recipes = dict(
    quick=dict(model=dict(head=dict(dim=64))),  # a head of another type starts from its defaults
    finetune=dict(model=dict(head=dict(dim=256, pool="avg"))),
    paper=dict(model=dict(head=dict(dim=256))),
)
