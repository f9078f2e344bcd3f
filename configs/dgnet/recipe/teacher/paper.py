# The public baseline from which DG-Net's authors took their teacher: stride 2, average pooling,
# SGD 0.05 on the head and a tenth of it on the backbone, 60 epochs, x 0.1 after 40.
input = dict(size=(256, 128), resize="pil")
model = dict(
    backbone=dict(
        type="ResNet",
        depth=50,
        width=64,
        stages=4,
        last_stride=2,
        pretrained="data/weights/resnet50-19c8e357.pth",
    ),
    head=dict(dim=512),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=10, edge=True),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=60,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.005, momentum=0.9, weight_decay=5e-4, nesterov=True),
    head_lr_mult=10.0,
    schedule=dict(type="step", milestones=[40], gamma=0.1),
    eval_every=10,
)
