# The quick recipe with random batches: 45 steps an epoch, so twice as many epochs.
_base_ = ["../quick.py"]
train = dict(epochs=16)
