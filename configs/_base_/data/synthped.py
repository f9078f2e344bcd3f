# SynthPed, the benchmark that reidkit renders itself: source A, target B, each with cameras of its
# own.
data = dict(
    name="synthped",
    domains=dict(
        source=dict(type="SynthPed", domain="A", preset="standard"),
        target=dict(type="SynthPed", domain="B", preset="standard"),
        # the source's people under the target's cameras: what perfect style transfer would give
        source_styled=dict(type="SynthPed", domain="A", preset="standard", style="B"),
        # other people with drawn part labels, in the role that COCO plays for real photographs
        parts=dict(type="SynthPed", domain="P", preset="standard"),
        parts_styled=dict(type="SynthPed", domain="P", preset="standard", style="A"),
    ),
    tests=["source", "target"],
    real="market1501_to_dukemtmcreid",  # the group of the published experiment
)
