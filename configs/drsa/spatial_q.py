# SpaAtn+Q: the Hellinger diversity term, which forbids overlap and leaves the maps' size free.
# python tools/train.py configs/drsa/spatial_q.py
# python tools/train.py configs/drsa/spatial_q.py recipe=paper data=mars
# As the paper writes it, squared: model.losses.diversity.loss.reduction=frame_sq
_base_ = ["spatial_only.py"]
model = dict(
    losses=dict(
        diversity=dict(
            domain="source",
            weight=1.0,
            loss=dict(type="drsa/DiversityLoss", penalty="Q", reduction="frame_sqrt"),
        )
    )
)
