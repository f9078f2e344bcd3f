# DG-Net without fine-grained learning: the second head is neither trained nor compared. The row
# "f_prim" of the paper. Needs a teacher, which is trained first when it is missing.
# python tools/train.py configs/dgnet/dgnet_no_fine.py
# python tools/train.py configs/dgnet/dgnet_no_fine.py recipe=paper data=market1501
# One-hot labels of the appearance's identity for composites: model.teacher_style=appearance
_base_ = ["dgnet.py"]
model = dict(
    terms=dict(id_fine=dict(weight=0.0), fine=dict(weight=0.0)),
    matcher=dict(beta=0.0),
)
