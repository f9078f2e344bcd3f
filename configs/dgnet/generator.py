# The generator of DG-Net alone: no composite teaches. Trained once for each seed, and shared by the
# rows of the table, which go on from its weights and its iteration.
# python tools/train.py configs/dgnet/generator.py
# Whose structure may carry colours: model.networks.colour_structure=True
_base_ = ["dgnet.py"]
prerequisites = dict(teacher=None)
model = dict(
    terms=dict(id_fine=dict(weight=0.0), primary=dict(weight=0.0), fine=dict(weight=0.0)),
    matcher=dict(beta=0.0),
)
# numbers of iterations, since images become good after so many and not after a share of a run:
# their Frechet distance is flat from about 560 on (docs/results/dgnet_synthped.md)
_rate = dict(reid=dict(lr=1e-3))
recipes = dict(
    quick=dict(
        prerequisites=dict(generator=None),
        train=dict(epochs=15, batch_size=16, schedule=None, optimizers=_rate),  # 600 iterations
    ),
    long=dict(
        prerequisites=dict(generator=None),
        train=dict(epochs=60, batch_size=16, schedule=None, optimizers=_rate),  # 6,000
    ),
    paper=dict(train=dict(epochs=30)),  # what precedes composites in the run itself
)
