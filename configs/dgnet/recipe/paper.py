# DG-Net as published (paper and released code): 100,000 iterations of 8 crops per side. One GPU of
# 16 GB or more; model.networks.checkpoint=True saves memory. The backbone starts from torchvision's
# ImageNet weights (V1), which you fetch yourself; with random weights:
# model.backbone.pretrained=None
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
    networks=dict(
        dim=512,
        structure_dim=16,
        mlp_dim=512,
        discriminator_dim=32,
        passes="separate",
    ),
    terms=dict(
        id_fine=dict(start=30_000, ramp=4_000),
        structure_code=dict(start=30_000, ramp=2_000),
        appearance_code=dict(start=30_000, ramp=2_000),
        cycle=dict(start=30_000, ramp=4_000),
        primary=dict(start=30_000, ramp=4_000),
        fine=dict(start=30_000, ramp=4_000),
    ),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=10, edge=True),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
        identity=[dict(type="RandomErasing", p=0.5)],
    ),
)
train = dict(
    epochs=100,
    batch_size=32,  # 8 per side, and a positive for each
    sampler=dict(type="dgnet/PairSampler", steps=1000),
    optimizers=dict(
        reid=dict(type="SGD", lr=0.002, momentum=0.9, weight_decay=5e-4, nesterov=True),
        generator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), weight_decay=5e-4),
        discriminator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), weight_decay=5e-4),
    ),
    head_lr_mult=10.0,  # both heads learn at 0.02
    schedule=dict(type="step", milestones=[60, 90], gamma=0.1),
    eval_every=10,
)
