# A network that is tested or extracts without training; the command line says which, and its file:
# python tools/test.py osnet_x0_25 weights=FILE data=market1501
_base_ = ["default.py"]
model = dict(
    type="ReIDModel",
    backbone=dict(type="torchreid/osnet_x1_0"),
    head=dict(type="FCHead"),
    losses=dict(),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(test=dict(normalize=dict(type="Normalize"))),
)
recipes = dict(quick=dict(model=dict()))
