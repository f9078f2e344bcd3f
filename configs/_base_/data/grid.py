# GRID: 125 people to learn from, 125 among 775 others to find. Ten partitions: repeat with
# data.domains.source.split=1 ... 9, and average. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(source=dict(type="GRID", split=0)),
    tests=["source"],
)
