# MSMT17 V1 to CUHK03-NP detected. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="msmt17_to_cuhk03np",
    domains=dict(
        source=dict(type="MSMT17"),
        target=dict(type="CUHK03NP", part="detected"),
    ),
    tests=["source", "target"],
)
