"""The shipped small model, as an mmpose config: what is trained, and what labels SynthPed.

A ResNet-18 of a quarter of the width, cut after its third stage, with two deconvolutions: 0.9 M
parameters, about 1 ms a crop on one CPU core pair. Input 128x64 with no padding, so a crop of the
usual 128x64 pixels enters unwarped.
"""

INPUT = (64, 128)  # mmpose's order: width, height
HEATMAP = (16, 32)

codec = dict(
    type="MSRAHeatmap",
    input_size=INPUT,
    heatmap_size=HEATMAP,
    sigma=1.5,
    unbiased=True,
    blur_kernel_size=7,  # fits sigma 1.5
)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type="ResNet",
        depth=18,
        stem_channels=32,
        base_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(
        type="HeatmapHead",
        in_channels=128,
        out_channels=17,
        deconv_out_channels=(64, 64),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type="KeypointMSELoss", use_target_weight=True, loss_weight=1000.0),
        decoder=codec,
    ),
    train_cfg=dict(compute_acc=False),
    test_cfg=dict(flip_test=False, flip_mode="heatmap", shift_heatmap=False),
)
test_pipeline: list[dict] = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale", padding=1.0),
    dict(type="TopdownAffine", input_size=INPUT),
    dict(type="PackPoseInputs"),
]


def small_config() -> dict:
    """The parts of an mmpose config that inference needs."""
    from copy import deepcopy

    return deepcopy(
        dict(
            default_scope="mmpose",
            model=model,
            test_dataloader=dict(dataset=dict(type="CocoDataset", pipeline=test_pipeline)),
            train_dataloader=dict(dataset=dict(type="CocoDataset")),
        )
    )
