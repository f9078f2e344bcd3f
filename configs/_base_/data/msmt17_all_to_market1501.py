# All of MSMT17 V1, its test images included, to Market-1501; so there is no test on MSMT17.
# Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="msmt17_all_to_market1501",
    domains=dict(
        source=dict(type="MSMT17", combine_all=True),
        target=dict(type="Market1501"),
    ),
    tests=["target"],
)
