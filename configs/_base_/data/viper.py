# VIPeR: trained on one half of the people, tested on the other. Ten halves: repeat with
# data.domains.source.split=1 ... 9, and average. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="VIPeR", split=0)), tests=["source"])
# nobody of it is learned from, so all ten test halves are averaged
as_target = dict(split=None)
