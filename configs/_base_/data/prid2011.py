# PRID2011; one of ten divisions: data.domains.source.split=0..9. Layout: docs/data.md
_base_ = ["_real_video.py"]
data = dict(
    domains=dict(source=dict(type="PRID2011", split=0)),
    tests=["source"],
)
