# CUHK03, classic protocol, boxes drawn by hand: 20 test sets of 100 people, single-shot, CMC only.
# Repeat with data.domains.source.split=1 ... 19, and average. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(source=dict(type="CUHK03", part="labeled", split=0)),
    tests=["source"],
)
