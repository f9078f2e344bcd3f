# DRSA in minutes on two CPU cores: a small network on small frames, trained from random weights.
input = dict(size=(128, 64), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet", depth=10, width=32, stages=3, strides=(1, 2, 2), last_stride=None
    ),  # stride 16: a map of 8 x 4, as in the paper
    head=dict(hidden=64, center=True),  # center: a start without pre-training, see DRSAHead
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=16,
    batch_size=16,
    sampler=dict(type="ShuffleSampler"),
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-3, weight_decay=0.01),
    head_lr_mult=1.0,
    schedule=dict(type="one_cycle", pct_start=0.3),
    stages=[
        # the CNN, on single frames; small batches, for more steps
        dict(epochs=24, batch_size=8, losses=["image"], freeze=["head"]),
        # spatial attention under a frozen CNN; a frozen temporal attention is the mean
        dict(epochs=12, losses=["!image"], freeze=["backbone", "aux_heads", "head.temporal"]),
        # spatial and temporal attention together
        dict(epochs=8, losses=["!image"], freeze=["backbone", "aux_heads"]),
    ],
)
