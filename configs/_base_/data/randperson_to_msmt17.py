# RandPerson, rendered people, to MSMT17 V1. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="randperson_to_msmt17",
    domains=dict(
        source=dict(type="RandPerson"),
        target=dict(type="MSMT17"),
    ),
    tests=["target"],
)
