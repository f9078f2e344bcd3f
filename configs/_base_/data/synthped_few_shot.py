# SynthPed with three or four training crops of each of 300 people; people arrive in crowds.
_base_ = ["synthped.py"]
data = dict(
    domains=dict(
        source=dict(preset="few_shot"),
        target=dict(preset="few_shot"),
        source_styled=dict(preset="few_shot"),
        parts=dict(preset="few_shot"),
        parts_styled=dict(preset="few_shot"),
    ),
)
