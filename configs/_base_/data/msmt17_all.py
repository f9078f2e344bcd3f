# All of MSMT17 V1 to train on, its test images included; so there is no test on it.
# Layout: docs/data.md
_base_ = ["_real.py"]
data = dict(domains=dict(source=dict(type="MSMT17", combine_all=True)), tests=[])
