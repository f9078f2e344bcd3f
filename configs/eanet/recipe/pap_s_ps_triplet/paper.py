# The authors' triplet script: 16 identities of 4 images, 150 epochs of every identity once.
_base_ = ["../paper.py"]
train = dict(
    epochs=150,
    batch_size=64,
    sampler=dict(_delete_=True, type="PKSampler", p=16, k=4, epoch="identities"),
    schedule=dict(milestones=[60, 120]),
)
