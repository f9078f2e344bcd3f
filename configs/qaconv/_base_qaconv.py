# What all QAConv variants share. Not an experiment: start one of the others.
_base_ = ["../_base_/default.py"]
plugins = ["qaconv"]
model = dict(
    type="ReIDModel",
    head=dict(type="qaconv/QAConvHead"),  # channels of the map: the recipe
    losses=dict(
        match=dict(domain="source", loss=dict(type="qaconv/ScoreTripletLoss", margin=16.0))
    ),
    matcher=dict(type="qaconv/QAConvMatcher"),
)
