"""The shipped small model, as an mmpose config: what is trained, and what labels SynthPed.

A HRNet (arXiv 1902.09212) of 16 channels at stride 4 and two blocks a branch, and one transposed
convolution that doubles the map: 1.46 M parameters.
Input 128x64 with no padding, so a crop of the usual 128x64 pixels enters unwarped.
"""

INPUT = (64, 128)  # mmpose's order: width, height
HEATMAP = (32, 64)  # cells of 2 pixels: with 4, the two legs of a walker fall into one

codec = dict(
    type="MSRAHeatmap",
    input_size=INPUT,
    heatmap_size=HEATMAP,
    sigma=1.5,
    unbiased=True,
    blur_kernel_size=7,  # fits sigma 1.5
)


WIDTH = 16  # channels at stride 4; each branch below has twice those of the one above


def _stage(modules: int, branches: int) -> dict:
    return dict(
        num_modules=modules,
        num_branches=branches,
        block="BASIC",
        num_blocks=(2,) * branches,
        num_channels=tuple(WIDTH * 2**branch for branch in range(branches)),
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
        type="HRNet",
        in_channels=3,
        extra=dict(
            stage1=_stage(1, 1),
            stage2=_stage(1, 2),
            stage3=_stage(2, 3),
            stage4=_stage(1, 4),
        ),
    ),
    head=dict(
        type="HeatmapHead",
        in_channels=WIDTH,
        out_channels=17,
        deconv_out_channels=(WIDTH,),
        deconv_kernel_sizes=(4,),
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
