# PAP-6P: the first six regions only (head, upper and lower torso, upper and lower leg, shoes), as
# many parts as PCB has. Needs keypoints of the source and the test sets.
# python tools/train.py configs/eanet/pap_6p.py
# python tools/train.py configs/eanet/pap_6p.py recipe=paper data=cuhk03np_to_market1501
# Wider parts: model.head.dim=128
_base_ = ["pap.py"]
model = dict(head=dict(regions=6))
