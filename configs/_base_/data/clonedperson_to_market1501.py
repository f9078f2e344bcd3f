# ClonedPerson, rendered people, to Market-1501. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    name="clonedperson_to_market1501",
    domains=dict(
        source=dict(type="ClonedPerson"),
        target=dict(type="Market1501"),
    ),
    tests=["source", "target"],
)
