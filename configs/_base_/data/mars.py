# MARS, trained and tested on; the gallery holds the queries. Layout: docs/data.md
_base_ = ["_real_video.py"]
data = dict(
    domains=dict(source=dict(type="MARS")),
    tests=["source"],
)
