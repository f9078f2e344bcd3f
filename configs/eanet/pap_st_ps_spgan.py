# PAP-ST-PS-SPGAN: PAP-S-PS-SPGAN, and part segmentation on unlabelled target images. Needs the
# style-transferred source (see docs/data.md), its keypoints and part maps, part maps of the target,
# keypoints of the test sets.
# python tools/train.py configs/eanet/pap_st_ps_spgan.py
# python tools/train.py configs/eanet/pap_st_ps_spgan.py recipe=paper \
#     data=market1501_to_dukemtmcreid
# Less of the target: model.losses.ps_target.weight=0.5
_base_ = ["pap_s_ps_spgan.py"]
model = dict(
    losses=dict(
        ps_target=dict(domain="target", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")),
    ),
)
