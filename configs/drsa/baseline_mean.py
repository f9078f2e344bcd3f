# Baseline: the mean over each frame and over the frames; no attention, no diversity term.
# python tools/train.py configs/drsa/baseline_mean.py
# python tools/train.py configs/drsa/baseline_mean.py recipe=paper data=mars
# Maximum over the frames: model.head.pool=max
_base_ = ["_base_row.py"]
model = dict(head=dict(parts=0, pool="mean"))
