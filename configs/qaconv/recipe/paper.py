# QAConv-GS as published (version 2.1). One GPU. The backbone starts from ImageNet weights of the
# ResNet-50 with IBN-b, which you fetch yourself; random weights: model.backbone.pretrained=None
input = dict(size=(384, 128), resize="pil")  # the authors resize bicubically
model = dict(
    backbone=dict(
        type="qaconv/IBNResNet",
        depth=50,
        width=64,
        stages=3,
        pretrained="data/weights/resnet50_ibn_b-9ca61e85.pth",
        fixed_statistics=True,
    ),
)
train = dict(
    epochs=60,
    batch_size=64,
    optimizer=dict(type="SGD", lr=0.0005, momentum=0.9, nesterov=True, weight_decay=5e-4),
    lr_mult={"*": 10.0, "backbone.*": 1.0},  # the convolution and the matcher learn at 0.005
)
