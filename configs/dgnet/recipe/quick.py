# DG-Net in minutes on two CPU cores: narrow networks on the smallest images that E_s's dilations
# allow, from random weights. The schedule is the paper's in shares of the run: rates fall at 60 %
# and 90 %.
input = dict(size=(128, 64), resize="cv2")
model = dict(backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1))
train = dict(
    epochs=20,
    batch_size=16,  # 4 per side, and a positive for each
    schedule=dict(type="step", milestones=[12, 18], gamma=0.1),
)
