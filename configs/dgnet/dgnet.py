# DG-Net: one network learns from real people and from people whom it dresses itself. Needs a
# teacher, which is trained first when it is missing.
# python tools/train.py configs/dgnet/dgnet.py
# python tools/train.py configs/dgnet/dgnet.py recipe=paper data=market1501
# Another finished run as teacher: needs.teacher.run=runs/other
# Stripes of the body in place of the released code's channels: model.networks.slices=stripe
_base_ = ["_base_dgnet.py"]
