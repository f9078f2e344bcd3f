# Minutes on two CPU cores: a small network on small images, trained from random weights.
input = dict(size=(128, 64))
model = dict(backbone=dict(type="ResNet", depth=10, width=32, last_stride=1))
train = dict(
    epochs=20,
    batch_size=32,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
    schedule=dict(type="step", milestones=[14, 18], gamma=0.1, warmup=4),
)
