# The teacher of the quick recipe, in a minute.
input = dict(size=(128, 64), resize="cv2")
model = dict(
    backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1),
    head=dict(dim=128),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=5, edge=True),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=14,
    batch_size=32,
    optimizer=dict(_delete_=True, type="AdamW", lr=2e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
