# CUHK01: 485 people to learn from, 486 to find (871 and 100: data.domains.source.test_people=100).
# Ten partitions: data.domains.source.split. Both images of a query pooled:
# evaluation.protocol=multi-query. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(
    domains=dict(source=dict(type="CUHK01", test_people=486, split=0)),
    tests=["source"],
)
