# DRSA as published, as far as it is: 0.1 then 0.01 with SGD, layers of the CNN at a tenth; the rest
# from the OIM library that the released code derives from. One GPU. The backbone starts from
# torchvision's ImageNet weights, which you fetch yourself; the paper's further pre-training on
# several image re-id sets is a run of its own: train.load_from.
input = dict(size=(256, 128), resize="cv2")
model = dict(
    backbone=dict(
        type="ResNet",
        depth=50,
        width=64,
        stages=4,
        last_stride=None,  # stride 32: a map of 8 x 4
        pretrained="data/weights/resnet50-19c8e357.pth",
    ),
)
train = dict(
    epochs=40,
    batch_size=16,  # tracklets; not stated
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
    lr_mult={"*": 10.0, "backbone.*": 1.0},  # the head learns at 0.1
    schedule=dict(type="step", milestones=[24], gamma=0.1),
    stages=dict(
        # the CNN, on single frames
        cnn=dict(epochs=40, loss_mult={"*": 0.0, "image": 1.0}, freeze=["head"]),
        # spatial attention under a frozen CNN; a frozen temporal attention is the mean
        spatial=dict(
            epochs=40, loss_mult=dict(image=0.0), freeze=["backbone", "aux_heads", "head.temporal"]
        ),
        # spatial and temporal attention together
        temporal=dict(epochs=40, loss_mult=dict(image=0.0), freeze=["backbone", "aux_heads"]),
    ),
)
