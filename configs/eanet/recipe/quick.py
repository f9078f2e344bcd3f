# EANet in minutes on two CPU cores: a small network on small images, trained from random weights.
input = dict(size=(192, 64), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet", depth=10, width=32, stages=3, strides=(1, 2, 1), last_stride=None
    ),  # stride 8: a map of 24 x 8, as in the paper
)
train = dict(
    epochs=10,
    batch_size=24,
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
