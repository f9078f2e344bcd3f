# PAP-S-PS: PAP, and the features must also predict the body parts of the source images. Needs
# keypoints and part maps of the source, keypoints of the test sets.
# python tools/train.py configs/eanet/pap_s_ps.py
# python tools/train.py configs/eanet/pap_s_ps.py recipe=paper data=market1501_to_dukemtmcreid
# Another weight: model.losses.ps.weight=0.5
_base_ = ["pap.py"]
model = dict(
    aux_heads=dict(ps=dict(type="eanet/PartSegHead")),
    losses=dict(
        ps=dict(domain="source", head="ps", weight=1.0, loss=dict(type="eanet/PartSegLoss")),
    ),
)
