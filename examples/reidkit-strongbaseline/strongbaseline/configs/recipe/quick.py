# Minutes on two CPU cores: a small network on small images, trained from random weights.
input = dict(size=(128, 64))
model = dict(
    backbone=dict(type="ResNet", depth=10, width=32, last_stride=1),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=4),
            dict(type="Normalize"),
            dict(type="RandomErasing", p=0.5),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=20,
    batch_size=32,
    sampler=dict(k=4, epoch="images"),
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.01),
    schedule=dict(type="step", milestones=[14, 18], gamma=0.1, warmup=4),
)
