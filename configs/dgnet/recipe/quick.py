# DG-Net in minutes on two CPU cores: narrow networks on the smallest images that E_s's dilations
# allow, from random weights. The schedule is the paper's in shares of the run: composites teach
# from 30 % on, ramps take 4 %, rates fall at 60 % and 90 %.
_steps, _epochs = 35, 20
_start, _ramp = 3 * _steps * _epochs // 10, _steps * _epochs // 25
input = dict(size=(128, 64), resize="cv2")
model = dict(
    backbone=dict(type="ResNet", depth=10, width=32, stages=4, last_stride=1),
    networks=dict(
        dim=128,
        structure_dim=8,
        mlp_dim=128,
        discriminator_dim=8,
        passes="joint",  # batch statistics of 4 crops would be noise
    ),
    terms=dict(
        id_fine=dict(start=_start, ramp=_ramp),
        structure_code=dict(start=_start, ramp=_ramp // 2),
        appearance_code=dict(start=_start, ramp=_ramp // 2),
        cycle=dict(start=_start, ramp=_ramp),
        primary=dict(start=_start, ramp=_ramp),
        fine=dict(start=_start, ramp=_ramp),
    ),
    transforms=dict(
        train=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomCrop", pad=5, edge=True),
            dict(type="Normalize"),
        ],
        test=[dict(type="Normalize")],
        identity=[dict(type="RandomErasing", p=0.5)],
    ),
)
train = dict(
    epochs=_epochs,
    batch_size=16,  # 4 per side, and a positive for each
    sampler=dict(type="dgnet/PairSampler", steps=_steps),
    optimizers=dict(
        reid=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
        generator=dict(type="Adam", lr=1e-3, betas=(0.0, 0.999)),
        discriminator=dict(type="Adam", lr=2e-4, betas=(0.0, 0.999)),
    ),
    head_lr_mult=1.0,
    schedule=dict(type="step", milestones=[12, 18], gamma=0.1),
    eval_every=0,
)
