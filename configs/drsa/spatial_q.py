# SpaAtn+Q: the Hellinger diversity term, which forbids overlap and leaves the maps' size free.
# python tools/train.py configs/drsa/spatial_q.py
# python tools/train.py configs/drsa/spatial_q.py recipe=paper data=mars
# Squared, as the paper writes it. The first released form: model.losses.diversity.weight=1.0
# model.losses.diversity.loss.reduction=frame_sqrt
_base_ = ["spatial_only.py"]
model = dict(
    losses=dict(
        diversity=dict(
            domain="source",
            weight=0.1,
            loss=dict(type="drsa/DiversityLoss", penalty="Q", reduction="frame_sq"),
        )
    )
)
