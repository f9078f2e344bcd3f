# SpaAtn+Q': the diversity term of text embeddings, which also makes every map small.
# python tools/train.py configs/drsa/spatial_qprime.py
# python tools/train.py configs/drsa/spatial_qprime.py recipe=paper data=mars
# Half the weight: model.losses.diversity.weight=0.05
_base_ = ["spatial_only.py"]
model = dict(
    losses=dict(
        diversity=dict(
            domain="source",
            weight=0.1,
            loss=dict(type="drsa/DiversityLoss", penalty="Q'", reduction="frame_sq"),
        )
    )
)
