# As published: ViT-B/16 with patches 12 pixels apart, SGD whose rate falls as a cosine; length and
# warm-up as is usual (see README.md). One GPU.
# Fetches timm's weights of ImageNet-21k, tuned on ImageNet-1k; from random ones:
# model.backbone.pretrained=None. Patches that do not overlap: model.backbone.stride=None
input = dict(size=(256, 128))
model = dict(
    backbone=dict(
        type="transreid/SIETransformer",
        name="vit_base_patch16_224.augreg_in21k_ft_in1k",
        stride=12,
        strength=3.0,
        drop_path=0.1,
        pretrained="imagenet",
    ),
)
train = dict(
    epochs=120,
    batch_size=64,  # 16 identities of 4 images
    optimizer=dict(type="SGD", lr=0.008, momentum=0.9, weight_decay=1e-4),
    schedule=[
        dict(type="LinearLR", start_factor=0.01, begin=0, end=5),
        dict(type="CosineAnnealingLR", T_max=115, begin=5, end=120),
    ],
    eval_interval=20,
)
