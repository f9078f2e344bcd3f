# The quick recipe with random batches: 45 steps an epoch, so twice the epochs.
_base_ = ["../quick.py"]
model = dict(head=dict(_delete_=True, type="BNNeckHead"))
train = dict(epochs=24)
