# The generator of DG-Net alone: no composite teaches. Trained once for each seed, and shared by the
# rows of the table, which go on from its weights and its iteration.
# python tools/train.py configs/dgnet/generator.py
# Whose structure may carry colours: model.networks.structure=colour
_base_ = ["dgnet.py"]
prerequisites = dict(teacher=None)
model = dict(
    terms=dict(id_fine=dict(weight=0.0), primary=dict(weight=0.0), fine=dict(weight=0.0)),
    matcher=dict(beta=0.0),
)
# Numbers of iterations, since images become good after so many and not after a share of a run. The
# rates fall to nothing: at a constant one the reconstruction's error stays where the steps' noise
# holds it (10 L1 is 3.5 at iteration 1,600 of the long recipe, and 3.0 a hundred at a tenth later).
_alone = dict(prerequisites=dict(generator=None), model=dict(generator_interval=1))
_train = dict(
    batch_size=16,
    schedule=dict(type="one_cycle", pct_start=0.1),
    optimizers=dict(reid=dict(lr=1e-3), generator=dict(lr=1e-3)),
)
recipes = dict(
    quick=dict(**_alone, train=dict(epochs=15, **_train)),  # 600
    long=dict(**_alone, train=dict(epochs=20, **_train)),  # 2,000
    paper=dict(train=dict(epochs=30)),  # what precedes composites in the run itself
)
