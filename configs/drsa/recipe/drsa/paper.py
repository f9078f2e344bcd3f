# The full method ends with the tuning of everything, CNN included, at a tenth of the rates (Ind).
_base_ = ["../paper.py"]
train = dict(
    stages=[
        *_base_.train.stages,
        dict(
            epochs=20,
            losses=["!image"],
            freeze=["aux_heads"],
            optimizer=dict(type="SGD", lr=0.001, momentum=0.9, nesterov=True, weight_decay=5e-4),
            schedule=dict(type="step", milestones=[12], gamma=0.1),
        ),
    ]
)
