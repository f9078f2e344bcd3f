# Cluster and fine-tune as in the authors' code: new classifiers alone for 6 epochs (the paper does
# not mention these), then everything for 5, at constant rates.
_base_ = ["../paper.py"]
train = dict(
    optimizer=dict(lr=0.001),
    new="classifiers",  # embeddings and segmentation head are old now
    head_lr_mult=2.0,
    schedule=None,
    eval_every=0,
    stages=[dict(epochs=6, freeze=["!classifiers"]), dict(epochs=5)],
)
