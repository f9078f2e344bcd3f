# RandPerson, rendered people, to train on: it has no test images. Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="RandPerson")), tests=[])
