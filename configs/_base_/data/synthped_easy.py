# The small, easy SynthPed: learned in a minute, for trying things out and for tests.
_base_ = ["synthped.py"]
data = dict(
    domains=dict(
        source=dict(preset="easy"),
        target=dict(preset="easy"),
        source_styled=dict(preset="easy"),
        parts=dict(preset="easy"),
        parts_styled=dict(preset="easy"),
    ),
)
