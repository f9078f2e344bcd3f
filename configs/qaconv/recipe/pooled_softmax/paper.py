# The published recipe for the usual way: the schedule of QAConv-GS, weights of ImageNet.
_base_ = ["../paper.py"]
model = dict(head=dict(_delete_=True, type="BNNeckHead"))
