# DG-Net's rows without what they teach: the same generator run to start from, the same batches and
# rates, and no composite. What composites add is measured against this, and against the baseline.
# python tools/train.py configs/dgnet/no_composites.py
# Go on training the generator: model.terms.gan.weight=1.0
_base_ = ["dgnet.py"]
prerequisites = dict(teacher=None)
model = dict(
    terms=dict(id_fine=dict(weight=0.0), primary=dict(weight=0.0), fine=dict(weight=0.0)),
    matcher=dict(beta=0.0),
)
