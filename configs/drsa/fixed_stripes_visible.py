# Fixed stripes, true visibility: frames weighted by how much of each part is seen, from SynthPed's
# truth. What temporal attention per part could reach; rendered tracklets only.
# python tools/train.py configs/drsa/fixed_stripes_visible.py
# The truth is that of the domain named below, so only that one is tested: data.tests=['source']
_base_ = ["fixed_stripes.py"]
_truth = dict(type="drsa/TrueVisibility", domain="A", preset="standard")
model = dict(
    head=dict(pool="visibility"),
    transforms=dict(train=dict(visibility=_truth), test=dict(visibility=_truth)),
)
