# QAConv in minutes on two CPU cores: a small network on small images, trained from random weights,
# so its batch norms have to learn their statistics (the published recipe keeps them fixed).
input = dict(size=(192, 64), resize="cv2")
model = dict(
    backbone=dict(
        type="qaconv/IBNResNet",
        depth=10,
        width=32,
        stages=3,
        strides=(1, 2, 1),  # stride 8: a map of 24 x 8, as in the paper
        fixed_statistics=False,
    ),
    head=dict(dim=64),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2),
            dict(type="qaconv/RandomOcclusion", max_size=0.5),
            dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        ],
        test=[dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))],
    ),
)
train = dict(
    epochs=12,
    batch_size=24,
    accumulate=1,
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-3, weight_decay=0.01),
    head_lr_mult=1.0,
    schedule=dict(type="one_cycle", pct_start=0.3),
    clip_grad=8.0,
    eval_every=0,
)
