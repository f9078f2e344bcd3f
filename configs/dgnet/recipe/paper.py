# DG-Net as published (paper and released code): 100,000 iterations of 8 crops per side. One GPU of
# 16 GB or more; model.networks.checkpoint=True saves memory. The backbone starts from torchvision's
# ImageNet weights (V1), which you fetch yourself; from random ones: model.backbone.pretrained=None
input = dict(size=(256, 128), resize="pil")
model = dict(
    backbone=dict(
        type="ResNet",
        depth=50,
        width=64,
        stages=4,
        last_stride=1,
        pretrained="data/weights/resnet50-19c8e357.pth",
    ),
)
train = dict(
    epochs=100,
    batch_size=32,  # 8 per side, and a positive for each
    schedule=dict(type="step", milestones=[60, 90], gamma=0.1),
    eval_interval=10,
)
