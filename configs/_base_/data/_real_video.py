# What real video sets share: frames for methods that say nothing about them.
_base_ = ["_real.py"]
input = dict(
    frames=dict(
        train=dict(type="RandomFrames", frames=4),
        test=dict(type="AllFrames", at_most=64),
        augment="tracklet",
    )
)
