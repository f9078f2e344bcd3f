# The strong baseline's first part on the smallest rendered set: what `reidkit demo` trains in
# about a minute.
_base_ = ["default.py"]
groups = dict(data="synthped_tiny", recipe="quick")
model = dict(
    type="ReIDModel",
    backbone=dict(type="ResNet", depth=10, width=16, stages=3, strides=(1, 2, 2), last_stride=None),
    head=dict(type="BNNeckHead"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            jitter=dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3),
            normalize=dict(type="Normalize"),
        ),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
recipes = dict(
    quick=dict(
        input=dict(size=(96, 32)),
        train=dict(
            epochs=8,
            batch_size=24,
            optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
            schedule=dict(type="one_cycle", pct_start=0.3),
        ),
    )
)
