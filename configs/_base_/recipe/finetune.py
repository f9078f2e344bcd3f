# Real photographs, from a pretrained backbone: under half an hour of one CPU core for a set of
# CUHK01's size (2,000 crops), minutes on a GPU. Every method has it that does not rule it out.
# The weights: make weights, or timm, or pretrained=FILE. Another backbone, such as one trained on
# people already: model.backbone=torchreid/osnet_x0_25 model.backbone.pretrained=FILE, 12 to 24
# epochs and a quarter of the rate: train.epochs=12 train.optimizer.lr=1e-3.
# Better, in 32 minutes of one core: input.size=(256,128) train.epochs=24 train.optimizer.lr=8e-3
# A transformer (not measured): model.backbone=timm/vit_small_patch16_224.augreg_in21k
#     model.backbone.pretrained=imagenet model.backbone.images=imagenet train.freeze_layers=0
#     train.layer_decay=0.75 train.optimizer.lr=1e-3
input = dict(size=(192, 96), resize="cv2")
model = dict(
    backbone=dict(
        type="TimmBackbone",
        name="tf_efficientnet_lite0",
        pretrained="imagenet",
        images="imagenet",  # how the methods normalise them
    ),
)
train = dict(
    epochs=40,
    batch_size=32,
    optimizer=dict(type="AdamW", lr=4e-3, weight_decay=0.01),
    lr_mult={"backbone.*": 0.5},
    schedule=dict(type="one_cycle", pct_start=0.1),  # warm-up, then a cosine
    freeze_layers=4,  # of EfficientNet-Lite0 the stem and two stages, half of a step's time
)
