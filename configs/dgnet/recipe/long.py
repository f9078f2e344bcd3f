# DG-Net in hours on two CPU cores, for a generator whose composites can be looked at: the quick
# recipe's networks, 2,000 iterations of the generator and 3,000 with composites. --resume goes on.
input = dict(size=(128, 64), resize="cv2")
model = dict(backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1))
train = dict(
    epochs=30,
    batch_size=32,  # 8 per side, and a positive for each
    schedule=dict(type="one_cycle", pct_start=0.3),
)
