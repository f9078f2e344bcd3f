# A small SynthPed video: few people, short tracklets; for trying things out and for tests.
_base_ = ["synthped_video.py"]
data = dict(domains=dict(source=dict(preset="easy"), target=dict(preset="easy")))
