# JLML as published, as far as it is known: whole images squashed to a square, no augmentation, one
# rate for everything. 50,000 steps are 124 epochs of Market-1501. The published network started
# from ImageNet; no such weights exist for it, so here it starts from random ones, or from a run of
# yours: train.load_from=CHECKPOINT. Weight decay is our choice.
input = dict(size=(224, 224), resize="cv2")
train = dict(
    epochs=124,
    batch_size=32,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=dict(type="step", milestones=[50, 100], gamma=0.1),  # every 20,000 steps
    eval_interval=20,
)
