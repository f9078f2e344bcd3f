# The oracle with the teacher's labels: of composites without a fault is learned what the teacher
# says, as of DG-Net's own, and not whom they show. What the primary loss can give at most.
# python tools/train.py configs/dgnet/oracle_taught.py
# Another weight than the primary term's: model.losses.composites.weight=1.0
_base_ = ["oracle.py"]
prerequisites = dict(teacher=dict(config="dgnet/teacher", run=None, overrides=[]))
model = dict(
    losses=dict(
        composites=dict(weight=2.0, loss=dict(_delete_=True, type="dgnet/TeachingLoss")),
    ),
)
