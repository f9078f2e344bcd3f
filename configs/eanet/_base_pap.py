# What all part-aligned variants share. Not an experiment: start one of the pap*.py files.
_base_ = ["../_base_/default.py"]
plugins = ["eanet"]
labels = dict(test=["keypoints"])
model = dict(
    type="ReIDModel",
    head=dict(type="eanet/PAPHead", regions=9),  # width per part: the recipe
    losses=dict(id=dict(domain="source", loss=dict(type="eanet/VisibleIDLoss"))),
    matcher=dict(type="eanet/VisibilityMatcher"),
)
