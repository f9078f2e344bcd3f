# DRSA: six spatial attention models kept apart by Q, a temporal attention for each of them, and at
# last everything tuned with the CNN (SpaAtn+Q+TemAtn+Ind).
# python tools/train.py configs/drsa/drsa.py
# python tools/train.py configs/drsa/drsa.py recipe=paper data=mars
# Twelve frames per tracklet at the test: input.frames.test.frames=12
_base_ = ["spatial_q.py"]
model = dict(head=dict(pool="attn"))
# at last everything is tuned, CNN included, at lower rates (Ind)
_tune = dict(loss_mult=dict(image=0.0), freeze=["aux_heads"])
recipes = dict(
    # AdamW moves a weight by at most its rate a step: at the head's rate the temporal attention
    # cannot leave the mean in these few steps. SGD at 0.1, as published, can
    quick=dict(
        train=dict(
            lr_mult={"head.temporal.*": 30.0},
            stages=dict(tune=dict(epochs=10, optimizer=dict(lr=5e-4), **_tune)),
        )
    ),
    finetune=dict(train=dict(stages=dict(tune=dict(epochs=8, optimizer=dict(lr=5e-4), **_tune)))),
    paper=dict(
        train=dict(
            stages=dict(
                tune=dict(
                    epochs=20,
                    optimizer=dict(lr=0.001),
                    schedule=dict(type="step", milestones=[12], gamma=0.1),
                    **_tune,
                )
            )
        )
    ),
)
