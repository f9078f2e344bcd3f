# PAP-ST-PS: part segmentation on source and on unlabelled target images, which aligns the target
# domain without any of its identities. Needs keypoints and part maps of the source, part maps of
# the target, keypoints of the test sets; all are generated when missing.
# python tools/train.py configs/eanet/pap_st_ps.py
# python tools/train.py configs/eanet/pap_st_ps.py recipe=paper data=market1501_to_dukemtmcreid
# Less of the target: model.losses.ps_target.weight=0.5
_base_ = ["pap_s_ps.py"]
model = dict(
    losses=dict(
        ps_target=dict(domain="target", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")),
    ),
)
