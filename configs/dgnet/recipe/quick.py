# DG-Net in minutes on two CPU cores: narrow networks on the smallest images that E_s's dilations
# allow, from random weights. The generator first, 600 iterations that every row of a seed shares;
# then 400 with composites at the teacher's rate and batch size.
input = dict(size=(128, 64), resize="cv2")
model = dict(backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1))
train = dict(
    epochs=10,
    batch_size=32,  # 8 per side, and a positive for each
    schedule=dict(type="one_cycle", pct_start=0.3),
)
