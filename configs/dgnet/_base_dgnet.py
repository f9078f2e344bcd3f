# What the joint variants share. Not an experiment: start one of the dgnet*.py files.
_base_ = ["../_base_/default.py"]
plugins = ["dgnet"]
needs = dict(teacher=dict(config="dgnet/teacher", run=None, overrides=[]))
model = dict(
    type="dgnet/DGNet",
    matcher=dict(type="dgnet/WeightedHeadsMatcher", beta=0.5),
    # as released; widths and passes: the recipe
    networks=dict(
        dilations=(3, 6, 9),
        slices="channel",
        detach_code=True,
        colour_structure=False,
        checkpoint=False,
        compile=False,
    ),
    # weights of the paper and its code; start and ramp, in iterations: the recipe
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
)
train = dict(sampler=dict(type="dgnet/PairSampler"), optimizer=None)
hooks = [dict(type="SampleHook", interval=1, count=8)]
