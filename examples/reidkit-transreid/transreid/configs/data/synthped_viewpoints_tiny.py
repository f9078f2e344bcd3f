# The same with a hundred crops in each domain: for tests, and for seeing that it runs at all.
_base_ = ["synthped_viewpoints.py"]
data = dict(domains=dict(source=dict(preset="tiny"), target=dict(preset="tiny")))
