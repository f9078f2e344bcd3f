# Market-1501 to VIPeR: nobody of VIPeR is learned from, so all ten test halves are averaged.
# Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="market1501_to_viper",
    domains=dict(
        source=dict(type="Market1501"),
        target=dict(type="VIPeR", split=None),
    ),
    tests=["source", "target"],
)
