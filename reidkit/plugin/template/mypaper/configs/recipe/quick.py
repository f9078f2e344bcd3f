# Minutes on two CPU cores. Beside it may lie paper.py, the published recipe, for recipe=paper.
input = dict(size=(128, 64))
model = dict(backbone=dict(type="ResNet", depth=18, width=32, stages=3))
train = dict(
    epochs=12,
    batch_size=32,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
    schedule=dict(type="one_cycle", pct_start=0.3),
)
