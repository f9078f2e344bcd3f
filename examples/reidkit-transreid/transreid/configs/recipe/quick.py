# Minutes on two CPU cores: four blocks of a tiny transformer on small images, from random weights.
# Patches of 16 pixels stand 12 apart: 10 x 5 of them.
input = dict(size=(128, 64))
model = dict(
    backbone=dict(
        type="transreid/SIETransformer",
        name="vit_tiny_patch16_224",
        depth=4,
        stride=12,
        strength=3.0,
    ),
)
train = dict(
    epochs=30,
    batch_size=32,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    schedule=[
        dict(type="LinearLR", start_factor=0.1, begin=0, end=3),
        dict(type="CosineAnnealingLR", T_max=27, begin=3, end=30),
    ],
)
