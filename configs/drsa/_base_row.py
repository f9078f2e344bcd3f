# What all rows of the paper's component table share; each row says which parts it has.
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
    head=dict(type="drsa/DRSAHead", attention="independent", enhance="fc_l2", dim=128),
    # classification of single frames, for the stage that trains the CNN
    aux_heads=dict(image=dict(type="BNNeckHead")),
    losses=dict(
        id=dict(domain="source", loss=dict(type="OIMLoss", scale=30.0, momentum=0.5)),
        image=dict(domain="source", head="image", loss=dict(type="CrossEntropyLoss")),
    ),
    matcher=dict(type="EuclideanMatcher"),  # of unit vectors: ranks as the cosine does
)
