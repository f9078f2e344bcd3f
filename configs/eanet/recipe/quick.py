# EANet in minutes on two CPU cores: a small network on small images, trained from random weights.
input = dict(size=(192, 64), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet", depth=10, width=32, stages=3, strides=(1, 2, 1), last_stride=None
    ),  # stride 8: a map of 24 x 8, as in the paper
    head=dict(dim=64),
    transforms=dict(
        train=[
            dict(type="eanet/RegionMasks"),  # before the flip, which then moves the masks
            dict(type="RandomFlip", p=0.5),
            dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2),
            dict(type="Normalize", mean=(0.486, 0.459, 0.408), std=(0.229, 0.224, 0.225)),
        ],
        test=[
            dict(type="eanet/RegionMasks"),
            dict(type="Normalize", mean=(0.486, 0.459, 0.408), std=(0.229, 0.224, 0.225)),
        ],
    ),
)
train = dict(
    epochs=10,
    batch_size=24,
    sampler=dict(type="ShuffleSampler"),
    accumulate=1,
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-3, weight_decay=0.01),
    head_lr_mult=1.0,
    schedule=dict(type="one_cycle", pct_start=0.3),
    eval_every=0,
)
