# The quick recipe with random batches: 45 steps an epoch, so more epochs; two thirds of the steps
# of QAConv-GS, since each takes about twice as long.
_base_ = ["../quick.py"]
train = dict(epochs=16)
