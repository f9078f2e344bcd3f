# The baseline of DG-Net's tables: E_a with its primary head on real images alone. In the quick
# recipe it has the teacher's training, so that what composites add is not what a better recipe
# adds; in the paper's the batches and iterations of the joint run.
# python tools/train.py configs/dgnet/baseline.py
# python tools/train.py configs/dgnet/baseline.py recipe=paper data=market1501
# Average in place of maximum: model.head.pool=avg
_base_ = ["teacher.py"]
model = dict(head=dict(pool="max"))
recipes = dict(
    finetune=None,  # nothing to be the baseline of
    paper=dict(
        model=dict(
            backbone=dict(last_stride=1),
            transforms=dict(train=dict(erase=dict(type="RandomErasing", p=0.5))),
        ),
        train=dict(
            epochs=100,
            sampler=dict(type="dgnet/PairSampler", steps=1000),
            optimizer=dict(lr=0.002),
            schedule=dict(type="step", milestones=[60, 90], gamma=0.1),
        ),
    ),
)
