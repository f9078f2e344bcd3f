# PAP-S-PS with a batch-hard triplet loss on three groups of parts, on batches of several images per
# identity. An extra of the authors' repository, not in the paper. Needs keypoints and part maps of
# the source, keypoints of the test sets.
# python tools/train.py configs/eanet/pap_s_ps_triplet.py
# python tools/train.py configs/eanet/pap_s_ps_triplet.py recipe=paper data=market1501
# Another margin: model.losses.triplet.loss.margin=0.5
_base_ = ["pap_s_ps.py"]
model = dict(
    losses=dict(
        triplet=dict(domain="source", weight=0.1, loss=dict(type="eanet/PartGroupTripletLoss")),
    ),
)
train = dict(sampler=dict(type="PKSampler", k=4))  # p identities of k images
recipes = dict(
    quick=dict(train=dict(sampler=dict(p=6, epoch_length="images"))),
    finetune=dict(train=dict(sampler=dict(epoch_length="images"))),
    # the authors' triplet script: 150 epochs of every identity once
    paper=dict(
        train=dict(
            epochs=150,
            batch_size=64,
            sampler=dict(p=16, epoch_length="identities"),
            schedule=dict(milestones=[60, 120]),
        )
    ),
)
