# DRSA in minutes on two CPU cores: a small network on small frames, trained from random weights.
input = dict(size=(128, 64), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet", depth=10, width=32, stages=3, strides=(1, 2, 2), last_stride=None
    ),  # stride 16: a map of 8 x 4, as in the paper
)
train = dict(
    epochs=16,
    batch_size=16,
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
    stages=dict(
        # the CNN, on single frames; small batches, for more steps
        cnn=dict(epochs=24, batch_size=8, loss_mult={"*": 0.0, "image": 1.0}, freeze=["head"]),
        # spatial attention under a frozen CNN; a frozen temporal attention is the mean
        spatial=dict(
            epochs=12, loss_mult=dict(image=0.0), freeze=["backbone", "aux_heads", "head.temporal"]
        ),
        # spatial and temporal attention together
        temporal=dict(epochs=8, loss_mult=dict(image=0.0), freeze=["backbone", "aux_heads"]),
    ),
)
