# Cluster and fine-tune in a minute or two: the same two stages, shorter.
_base_ = ["../quick.py"]
train = dict(
    optimizer=dict(lr=5e-4),
    new="classifiers",  # embeddings and segmentation head are old now
    head_lr_mult=2.0,
    schedule=None,
    stages=[dict(epochs=2, freeze=["!classifiers"]), dict(epochs=4)],
)
