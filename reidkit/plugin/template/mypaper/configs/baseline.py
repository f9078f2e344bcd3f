# Mypaper on the default data.    reidkit train mypaper/baseline
plugins = ["mypaper"]
model = dict(
    type="ReIDModel",
    head=dict(type="mypaper/MypaperHead", dim=128),
    losses=dict(id=dict(domain="source", weight=1.0, loss=dict(type="mypaper/MypaperLoss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(flip=dict(type="RandomFlip", p=0.5), normalize=dict(type="Normalize")),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
