# JLML in minutes on two CPU cores: narrow streams of few blocks, small images, random weights.
input = dict(size=(192, 64), resize="cv2")
model = dict(
    backbone=dict(width=16, blocks=(1, 1, 1, 1), strides=(1, 2, 2, 1)),
    head=dict(dim=128),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),  # mirrors stripes in place
            dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=16,
    batch_size=24,
    sampler=dict(type="ShuffleSampler"),
    accumulate=1,
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-3, weight_decay=0.01),
    head_lr_mult=1.0,
    schedule=dict(type="one_cycle", pct_start=0.3),
    eval_every=0,
)
