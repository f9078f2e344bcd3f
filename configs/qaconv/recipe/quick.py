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
)
train = dict(
    epochs=12,
    batch_size=24,
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
