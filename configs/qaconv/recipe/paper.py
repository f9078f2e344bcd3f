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
    head=dict(dim=128),
    transforms=dict(
        train=[
            dict(type="RandomCrop", pad=10),
            dict(type="RandomFlip", p=0.5),
            dict(type="qaconv/RandomRotation", degrees=5.0),
            dict(type="qaconv/FactorJitter", low=0.5, high=2.0, hue=0.1),
            dict(type="qaconv/RandomOcclusion", max_size=0.8),
            # pixels of 0..1: no version of the released code normalises further
            dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        ],
        test=[dict(type="Normalize", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))],
    ),
)
train = dict(
    epochs=60,  # at most; AdaptiveSchedule ends training, usually after 4 to 20
    batch_size=64,
    accumulate=1,
    optimizer=dict(type="SGD", lr=0.0005, momentum=0.9, nesterov=True, weight_decay=5e-4),
    head_lr_mult=10.0,  # the convolution and the matcher learn at 0.005
    schedule=None,
    clip_grad=8.0,
    eval_every=0,
)
hooks = [dict(type="qaconv/AdaptiveSchedule")]
