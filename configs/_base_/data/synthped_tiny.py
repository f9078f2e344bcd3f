# SynthPed with a hundred crops in each domain: for tests, and for seeing that a method runs at all.
_base_ = ["synthped.py"]
data = dict(
    domains=dict(
        source=dict(preset="tiny"),
        target=dict(preset="tiny"),
        source_styled=dict(preset="tiny"),
        parts=dict(preset="tiny"),
        parts_styled=dict(preset="tiny"),
    ),
)
