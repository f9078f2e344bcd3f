# As published: 120 epochs of Adam on ImageNet weights, warm-up over ten epochs. One GPU.
# Fetches torchvision's ImageNet weights; from random ones: model.backbone.pretrained=None
input = dict(size=(256, 128))
model = dict(backbone=dict(type="ResNet", depth=50, last_stride=1, pretrained="imagenet"))
train = dict(
    epochs=120,
    batch_size=64,  # 16 identities of 4 images
    optimizer=dict(type="Adam", lr=3.5e-4, weight_decay=5e-4),
    schedule=dict(type="step", milestones=[40, 70], gamma=0.1, warmup=10, start=0.1),
)
