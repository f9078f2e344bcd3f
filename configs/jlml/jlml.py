# JLML: a global branch and four local streams on shared first layers, each branch with its own
# identity loss, sparse feature layers. Needs no part labels.
# python tools/train.py configs/jlml/jlml.py
# python tools/train.py configs/jlml/jlml.py recipe=paper data=market1501
# The other distances: model.matcher=jlml/L1Matcher, model.matcher=CosineMatcher
# Local maps as in reading B: "model.backbone.local_pool_stride=(2, 2)"; C: also
#     model.backbone.stem_kernel=7 model.backbone.stem_width=64
# recipe=quick shrinks the feature layers by proximal steps (its optimiser is AdamW); the penalties
# as losses, as in recipe=paper: configs/jlml/subgradient.py
# On a ResNet-50 (our extension): model.backbone=jlml/JLMLResNet50
_base_ = ["../_base_/default.py"]
plugins = ["jlml"]
model = dict(
    type="ReIDModel",
    backbone=dict(type="jlml/JLMLNet"),
    head=dict(type="jlml/JLMLHead"),
    losses=dict(
        id_global=dict(domain="source", weight=1.0, loss=dict(type="jlml/BranchLoss", branch=0)),
        id_local=dict(domain="source", weight=1.0, loss=dict(type="jlml/BranchLoss", branch=1)),
        sparse_global=dict(
            domain="source", weight=5e-4, loss=dict(type="jlml/GroupLasso", layer="global")
        ),
        sparse_local=dict(
            domain="source", weight=5e-4, loss=dict(type="jlml/ExclusiveGroupLasso", layer="local")
        ),
    ),
    matcher=dict(type="EuclideanMatcher", normalize=True),  # each branch at length 1
    transforms=dict(
        train=dict(normalize=dict(type="Normalize")), test=dict(normalize=dict(type="Normalize"))
    ),
)
# the sparsity terms take the place of weight decay on the feature layers
train = dict(decay_mult={"head.branches.*.feature.weight": 0.0})
hooks = dict(selection=dict(type="jlml/SelectionLog"))
recipes = dict(
    quick=dict(
        # AdamW divides a penalty's gradient by its size, so the published weight means nothing as a
        # loss; the proximal step has the published rate, 0.01 / (1 - 0.9)
        hooks=dict(proximal=dict(type="jlml/ProximalStep", rate=0.1)),
        model=dict(
            losses=dict(sparse_global=None, sparse_local=None),
            backbone=dict(width=16, blocks=(1, 1, 1, 1), strides=(1, 2, 2, 1)),
            head=dict(dim=128),
            transforms=dict(
                train=dict(
                    flip=dict(type="RandomFlip", p=0.5),  # mirrors stripes in place
                    jitter=dict(
                        type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.2
                    ),
                    normalize=dict(),  # both come before it
                )
            ),
        ),
    ),
    # its own network has no weights: the branches share all of one that has. Another one:
    # model.backbone.name=torchreid/osnet_x0_25 model.backbone.pretrained=FILE and
    # ~model.backbone.options
    finetune=dict(
        hooks=dict(proximal=dict(type="jlml/ProximalStep", rate=0.1)),
        model=dict(
            losses=dict(sparse_global=None, sparse_local=None),
            backbone=dict(
                type="jlml/StripedBackbone",
                name="timm/tf_efficientnet_lite0",
                pretrained="imagenet",
                options=dict(stages=4, images="imagenet"),  # stride 16: a map of 12 x 6
            ),
            # without a norm, the small step of a finetuning does not move the classifiers
            head=dict(dim=512, fc_bn_relu=True),
            transforms=dict(
                train=dict(
                    flip=dict(type="RandomFlip", p=0.5),  # mirrors stripes in place
                    crop=dict(type="RandomCrop", pad=8),
                    normalize=dict(),  # both come before it
                    erase=dict(type="RandomErasing", p=0.5),
                )
            ),
        ),
    ),
    paper=dict(model=dict(head=dict(dim=512))),  # no augmentation
)
