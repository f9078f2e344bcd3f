# VIPeR: trained on one half of the people, tested on the other. Ten halves: repeat with
# data.domains.source.split=1 ... 9, and average. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="viper",
    domains=dict(source=dict(type="VIPeR", split=0)),
    tests=["source"],
)
