# E_a of the paper's recipe on real images alone: the same batches, optimiser and iterations.
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
    head=dict(dim=512),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=10, edge=True),
            dict(type="Normalize"),
            dict(type="RandomErasing", p=0.5),
        ],
        test=[dict(type="Normalize")],
    ),
)
train = dict(
    epochs=100,
    batch_size=32,
    sampler=dict(type="dgnet/PairSampler", steps=1000),
    optimizer=dict(type="SGD", lr=0.002, momentum=0.9, weight_decay=5e-4, nesterov=True),
    head_lr_mult=10.0,
    schedule=dict(type="step", milestones=[60, 90], gamma=0.1),
    eval_every=10,
)
