# E_a of the quick recipe on real images alone: the same batches, optimiser and iterations.
input = dict(size=(128, 64), resize="cv2")
model = dict(
    backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1),
    head=dict(dim=128),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=5, edge=True),
            dict(type="Normalize"),
            dict(type="RandomErasing", p=0.5),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=20,
    batch_size=16,
    sampler=dict(type="dgnet/PairSampler", steps=35),
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.01),
    head_lr_mult=1.0,
    schedule=dict(type="step", milestones=[12, 18], gamma=0.1),
)
