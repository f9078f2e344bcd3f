# What all arms share: the network, its features, L2 distance with each branch at length 1. Not an
# experiment: start one of the other files.
_base_ = ["../_base_/default.py"]
plugins = ["jlml"]
model = dict(
    type="ReIDModel",
    backbone=dict(type="jlml/JLMLNet"),
    head=dict(type="jlml/JLMLHead"),
    matcher=dict(type="EuclideanMatcher", normalize=True),
)
hooks = [dict(type="jlml/SelectionLog")]
