# Baseline: the mean over each frame and over the frames; no attention, no diversity term.
# python tools/train.py configs/drsa/baseline_mean.py
# python tools/train.py configs/drsa/baseline_mean.py recipe=paper data=mars
# Maximum over the frames: model.head.pool=max
_base_ = ["../_base_/default.py"]
plugins = ["drsa"]
groups = dict(data="synthped_video")
input = dict(
    frames=dict(
        train=dict(type="drsa/RandomChunk", frames=6, rule="balanced"),
        test=dict(type="drsa/RandomChunk", frames=6, rule="balanced", offsets=1),
    )
)
model = dict(
    type="ReIDModel",
    head=dict(
        type="drsa/DRSAHead",
        attention="independent",
        enhance="fc_l2",
        dim=128,
        parts=0,
        pool="mean",
    ),
    # classification of single frames, for the stage that trains the CNN
    aux_heads=dict(image=dict(type="BNNeckHead")),
    losses=dict(
        id=dict(domain="source", loss=dict(type="OIMLoss", scale=30.0, momentum=0.5)),
        image=dict(domain="source", head="image", loss=dict(type="CrossEntropyLoss")),
    ),
    matcher=dict(type="EuclideanMatcher"),  # of unit vectors: ranks as the cosine does
    transforms=dict(
        train=dict(flip=dict(type="RandomFlip", p=0.5), normalize=dict(type="Normalize")),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
recipes = dict(
    quick=dict(
        model=dict(
            head=dict(hidden=64, center=True),  # center: a start without pre-training, see DRSAHead
            transforms=dict(
                train=dict(
                    jitter=dict(
                        type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2
                    ),
                    normalize=dict(),  # the jitter comes before it
                )
            ),
        )
    ),
    finetune=dict(
        model=dict(
            head=dict(hidden=256, center=True),
            transforms=dict(
                train=dict(
                    crop=dict(type="RandomCrop", pad=8),
                    normalize=dict(),  # the crop comes before it
                )
            ),
        ),
        train=dict(
            batch_size=16,  # tracklets
            stages=dict(
                cnn=dict(epochs=20, loss_mult={"*": 0.0, "image": 1.0}, freeze=["head"]),
                spatial=dict(
                    epochs=8,
                    loss_mult=dict(image=0.0),
                    freeze=["backbone", "aux_heads", "head.temporal"],
                ),
                temporal=dict(
                    epochs=8, loss_mult=dict(image=0.0), freeze=["backbone", "aux_heads"]
                ),
            ),
        ),
    ),
    paper=dict(
        model=dict(
            transforms=dict(train=dict(crop=dict(type="drsa/RandomSizedRectCrop"), flip=dict())),
        )
    ),
)
