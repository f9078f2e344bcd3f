# QAConv with class memory as in version 1.1: small batches, 15 epochs, batch statistics that learn.
# The published run tries ten starts and keeps the best; here there is one.
_base_ = ["../paper.py"]
model = dict(backbone=dict(fixed_statistics=False), head=dict(dim=64))
train = dict(
    epochs=15,
    batch_size=8,
    schedule=dict(_delete_=True, type="step", milestones=[10], gamma=0.1),
    clip_grad=None,
)
hooks = []
