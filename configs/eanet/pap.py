# PAP: nine regions of the body instead of stripes. Needs keypoints of the source and the test sets,
# which are generated when missing.
# python tools/train.py configs/eanet/pap.py
# python tools/train.py configs/eanet/pap.py recipe=paper data=market1501_to_dukemtmcreid
# The paper's d=128 row: model.head.dim=128. Control without visibility in the distance:
# model.matcher.use_visibility=False
_base_ = ["_base_pap.py"]
labels = dict(train=dict(source=["keypoints"]))
