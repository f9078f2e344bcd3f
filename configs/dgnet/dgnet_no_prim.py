# DG-Net without primary learning: composites teach only the second head, which learns who lent the
# structure. The row "f_fine" of the paper. Needs no teacher.
# python tools/train.py configs/dgnet/dgnet_no_prim.py
# python tools/train.py configs/dgnet/dgnet_no_prim.py recipe=paper data=market1501
# Both heads alike in the test: model.matcher.beta=1.0
_base_ = ["dgnet.py"]
prerequisites = dict(teacher=None)
model = dict(terms=dict(primary=dict(weight=0.0)))
