# The hard SynthPed: 300 people; prints, logos, faces and hair are textures; worse boxes and light.
# The former one, with flat colours: data.domains.source.preset=hard_v3, and so on.
_base_ = ["synthped.py"]
data = dict(
    domains=dict(
        source=dict(preset="hard"),
        target=dict(preset="hard"),
        source_styled=dict(preset="hard"),
        parts=dict(preset="hard"),
        parts_styled=dict(preset="hard"),
    ),
)
