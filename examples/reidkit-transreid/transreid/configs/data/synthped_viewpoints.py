# SynthPed with the viewpoint of every training crop; tested on its own domain and on the other one,
# whose cameras are unknown.
data = dict(
    domains=dict(
        source=dict(type="transreid/SynthPedViewpoints", domain="A", preset="standard"),
        target=dict(type="SynthPed", domain="B", preset="standard"),
    ),
    tests=["source", "target"],
)
