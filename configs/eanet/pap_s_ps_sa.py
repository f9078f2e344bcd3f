# PAP-S-PS-SA: PAP-S-PS with the plain mean over pixels, in which background and torso weigh most.
# Needs keypoints and part maps of the source, keypoints of the test sets.
# python tools/train.py configs/eanet/pap_s_ps_sa.py
# python tools/train.py configs/eanet/pap_s_ps_sa.py recipe=paper data=market1501_to_dukemtmcreid
# Back to the balanced loss: model.losses.ps.loss.normalize=part
_base_ = ["pap_s_ps.py"]
model = dict(losses=dict(ps=dict(loss=dict(normalize="pixel"))))
