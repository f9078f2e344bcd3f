# Bag of tricks: BNNeck, label smoothing, triplet and centre loss, random erasing, warm-up.
# reidkit train strongbaseline/bot
# reidkit train strongbaseline/bot recipe=paper data=market1501
# Without centre loss: '~model.losses.centre'
plugins = ["strongbaseline"]
model = dict(
    type="ReIDModel",
    head=dict(type="BNNeckHead"),
    losses=dict(
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss", label_smoothing=0.1)),
        triplet=dict(domain="source", loss=dict(type="BatchHardTripletLoss", margin=0.3)),
        centre=dict(domain="source", weight=5e-4, loss=dict(type="strongbaseline/CentreLoss")),
    ),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(
            flip=dict(type="RandomFlip", p=0.5),
            crop=dict(type="RandomCrop"),
            normalize=dict(type="Normalize"),
            erase=dict(type="RandomErasing", p=0.5),
        ),
        test=dict(normalize=dict(type="Normalize")),
    ),
)
train = dict(sampler=dict(type="PKSampler", k=4, epoch_length="images"))
recipes = dict(
    quick=dict(model=dict(transforms=dict(train=dict(crop=dict(pad=4))))),
    finetune=dict(model=dict(transforms=dict(train=dict(crop=dict(pad=8))))),
    paper=dict(model=dict(transforms=dict(train=dict(crop=dict(pad=10))))),
)
