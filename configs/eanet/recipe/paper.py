# EANet as published (paper and released code). One GPU; an epoch of Market-1501 has 404 steps.
# The backbone starts from torchvision's ImageNet weights (V1), which you fetch yourself; from
# random weights: model.backbone.pretrained=None
input = dict(size=(384, 128), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet",
        depth=50,
        width=64,
        stages=4,
        last_stride=1,  # a map twice as fine: 24 x 8
        pretrained="data/weights/resnet50-19c8e357.pth",
    ),
)
train = dict(
    epochs=60,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4),
    lr_mult={"*": 2.0, "backbone.*": 1.0},  # heads learn at 0.02
    schedule=dict(type="step", milestones=[25, 50], gamma=0.1),
    eval_interval=5,
)
