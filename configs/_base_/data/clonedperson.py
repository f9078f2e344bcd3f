# ClonedPerson, rendered people. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="ClonedPerson")), tests=["source"])
