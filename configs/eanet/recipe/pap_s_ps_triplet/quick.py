# The quick recipe with batches for the triplet loss.
_base_ = ["../quick.py"]
train = dict(sampler=dict(_delete_=True, type="PKSampler", p=6, k=4, epoch="images"))
