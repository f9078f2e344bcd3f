# LS-VID. Layout: docs/data.md
_base_ = ["_real_video.py"]
data = dict(
    domains=dict(source=dict(type="LSVID")),
    tests=["source"],
)
