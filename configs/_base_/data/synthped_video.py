# SynthPed video, tracklets that reidkit renders itself in MARS's layout: people, cameras and
# domains are those of SynthPed, things in front come and go part by part.
data = dict(
    name="synthped_video",
    domains=dict(
        source=dict(type="SynthPedVideo", domain="A", preset="standard"),
        target=dict(type="SynthPedVideo", domain="B", preset="standard"),
    ),
    real="mars",  # the group of the published experiment
    tests=["source"],  # rendering takes a minute per domain: ["source", "target"] tests both
)
# for methods that say nothing about frames: some in training, all at the test
input = dict(
    frames=dict(
        train=dict(type="RandomFrames", frames=4),
        test=dict(type="AllFrames", at_most=32),
        augment="tracklet",
    )
)
