# DG-Net: one network learns from real people and from people whom it dresses itself. Needs a
# teacher, and in minutes a generator that all rows share; both are trained first when missing.
# python tools/train.py configs/dgnet/dgnet.py
# python tools/train.py configs/dgnet/dgnet.py recipe=long
# python tools/train.py configs/dgnet/dgnet.py recipe=paper data=market1501
# Another finished run as teacher: prerequisites.teacher.run=runs/other
# Stripes of the body in place of the released code's channels: model.networks.slices=stripe
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
groups = dict(data="synthped_few_shot")  # few crops a person: what composites are for
prerequisites = dict(teacher=dict(config="dgnet/teacher", run=None, overrides=[]))
model = dict(
    type="dgnet/DGNet",
    generator_interval=1,  # as published, it learns in every iteration
    matcher=dict(type="dgnet/WeightedHeadsMatcher", beta=0.5),
    # as released
    networks=dict(
        dilations=(3, 6, 9),
        discriminator_std=0.02,
        slices="channel",
        detach_code=True,
        structure="grey",
        checkpoint=False,
        compile=False,
    ),
    # weights of the paper and its code
    terms=dict(
        self_recon=dict(weight=5.0),
        same_recon=dict(weight=5.0),
        gan=dict(weight=1.0),
        id=dict(weight=1.0),
        id_fine=dict(weight=0.4),  # 0.2 of primary, as fine
        id_positive=dict(weight=1.0),
        id_composite=dict(weight=0.5),
        structure_code=dict(weight=1.0),
        appearance_code=dict(weight=1.0),
        cycle=dict(weight=2.0),
        primary=dict(weight=2.0),
        fine=dict(weight=0.4),
    ),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop", edge=True),
            normalize=dict(type="Normalize"),
        ),
        test=dict(normalize=dict(type="Normalize")),
        identity=dict(erase=dict(type="RandomErasing", p=0.5)),  # of images that E_a identifies
    ),
)
train = dict(sampler=dict(type="dgnet/PairSampler"), optimizer=None)
hooks = dict(samples=dict(type="SampleHook", interval=1, count=8))


def _starts(codes, composites, ramp):
    """Iterations at which the codes' terms and the composites' begin, and what they grow for."""
    code, late = dict(start=codes, ramp=ramp), dict(start=composites, ramp=ramp)
    return dict(
        structure_code=dict(start=codes, ramp=ramp // 2),
        appearance_code=dict(start=codes, ramp=ramp // 2),
        cycle=code,
        id_fine=late,
        primary=late,
        fine=late,
    )


_generator = dict(config="dgnet/generator", run=None, overrides=[])
_adamw = dict(
    reid=dict(type="AdamW", lr=2e-3, weight_decay=0.01),
    # trained already, it follows E_a: a fourth of the iterations at four times 1e-4
    generator=dict(type="Adam", lr=4e-4, betas=(0.0, 0.999)),
    discriminator=dict(type="Adam", lr=5e-4, betas=(0.0, 0.999)),
)
_narrow = dict(
    networks=dict(
        dim=128,
        structure_dim=8,
        mlp_dim=128,
        discriminator_dim=8,
        discriminator_std=0.1,  # why: plugins/dgnet/discriminator.py
        passes="joint",  # batch statistics of 8 crops would be noise
    ),
    transforms=dict(
        train=dict(crop=dict(pad=5)),
        identity=dict(erase=None),  # as the teacher
    ),
)
# composites to look at: the person alone is drawn (takes keypoints; why: plugins/dgnet/scene.py)
_scene = dict(_narrow, networks=dict(_narrow["networks"], structure="scene"))

recipes = dict(
    finetune=None,  # its generator starts from nothing
    # a run goes on from the generator's last iteration, at the teacher's rate and batch size
    quick=dict(
        prerequisites=dict(generator=_generator),
        model=dict(generator_interval=4, terms=_starts(210, 600, 28), **_narrow),
        train=dict(sampler=dict(steps=40), optimizers=_adamw),
    ),
    long=dict(
        prerequisites=dict(generator=_generator),
        model=dict(generator_interval=4, terms=_starts(1000, 2000, 200), **_scene),
        train=dict(sampler=dict(steps=100), optimizers=_adamw),
    ),
    paper=dict(
        model=dict(
            networks=dict(
                dim=512,
                structure_dim=16,
                mlp_dim=512,
                discriminator_dim=32,
                passes="separate",
            ),
            terms=_starts(30_000, 30_000, 4_000),
            transforms=dict(train=dict(crop=dict(pad=10))),
        ),
        train=dict(
            sampler=dict(steps=1000),
            optimizers=dict(
                reid=dict(type="SGD", lr=0.002, momentum=0.9, weight_decay=5e-4, nesterov=True),
                generator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), weight_decay=5e-4),
                discriminator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), weight_decay=5e-4),
            ),
            lr_mult={"networks.appearance_encoder.heads.*": 10.0},  # both heads learn at 0.02
        ),
    ),
)
