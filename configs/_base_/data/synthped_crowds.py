# SynthPed's people, cameras and boxes (preset "standard"), who arrive in crowds and pass a camera
# within a minute: for what uses time. The control is data=synthped, where people come one by one.
_base_ = ["synthped.py"]
data = dict(
    domains=dict(
        source=dict(preset="crowds"),
        target=dict(preset="crowds"),
        source_styled=dict(preset="crowds"),
        parts=dict(preset="crowds"),
        parts_styled=dict(preset="crowds"),
    ),
)
