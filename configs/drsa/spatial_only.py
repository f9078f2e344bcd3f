# SpaAtn: six spatial attention models, nothing that keeps their maps apart, mean over the frames.
# python tools/train.py configs/drsa/spatial_only.py
# python tools/train.py configs/drsa/spatial_only.py recipe=paper data=mars
# The released code's module in place of the paper's: model.head.attention=shared
_base_ = ["baseline_mean.py"]
model = dict(head=dict(parts=6))
