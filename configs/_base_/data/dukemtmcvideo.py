# DukeMTMC-VideoReID, for those who hold a copy. Layout: docs/data.md
_base_ = ["_real_video.py"]
data = dict(
    domains=dict(source=dict(type="DukeMTMCVideoReID")),
    tests=["source"],
)
