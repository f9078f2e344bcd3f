# TransReID: camera embedding, overlapping patches, and a jigsaw branch beside the global vector.
# reidkit train transreid/transreid
# reidkit train transreid/transreid recipe=paper data=market1501        # ViT-B, a GPU
# Without the camera: model.backbone.strength=0.0     without the jigsaw:
#   model.head=BNNeckHead '~model.losses.jigsaw'
plugins = ["transreid"]
model = dict(
    type="ReIDModel",
    head=dict(type="transreid/JigsawHead", groups=4, shift=5),
    losses=dict(
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss")),
        triplet=dict(domain="source", loss=dict(type="BatchHardTripletLoss", margin=None)),
        jigsaw=dict(domain="source", loss=dict(type="transreid/JigsawLoss")),
    ),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop", pad=10),
            normalize=dict(type="Normalize", mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5]),
            erase=dict(type="RandomErasing", p=0.5),
        ),
        test=dict(normalize=dict(type="Normalize", mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])),
    ),
)
train = dict(sampler=dict(type="PKSampler", k=4, epoch_length="images"))
# from random weights the soft margin on vectors of any length draws all of them to one point
_unit = dict(margin=0.3, normalize=True)
recipes = dict(
    quick=dict(
        model=dict(
            losses=dict(triplet=dict(loss=_unit), jigsaw=dict(loss=_unit)),
            transforms=dict(train=dict(crop=dict(pad=4))),
        ),
    ),
)
