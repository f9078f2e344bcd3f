# Bag of tricks: BNNeck, label smoothing, triplet and centre loss, random erasing, warm-up.
# reidkit train strongbaseline/bot
# reidkit train strongbaseline/bot recipe=paper data=market1501
# Without centre loss: '~model.losses.centre'
plugins = ["strongbaseline"]
model = dict(
    type="ReIDModel",
    head=dict(type="strongbaseline/BNNeck"),
    losses=dict(
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss", label_smoothing=0.1)),
        triplet=dict(domain="source", loss=dict(type="BatchHardTripletLoss", margin=0.3)),
        centre=dict(domain="source", weight=5e-4, loss=dict(type="strongbaseline/CentreLoss")),
    ),
    matcher=dict(type="CosineMatcher"),
)
train = dict(sampler=dict(type="PKSampler"))
