# The full method ends with the tuning of everything, CNN included, at lower rates (Ind).
_base_ = ["../quick.py"]
train = dict(
    stages=[
        *_base_.train.stages,
        dict(
            epochs=10,
            losses=["!image"],
            freeze=["aux_heads"],
            optimizer=dict(type="AdamW", lr=5e-4, weight_decay=0.01),
        ),
    ]
)
