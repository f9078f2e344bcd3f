# SpaAtn+Q+MaxPool: the maximum over the frames in place of the mean.
# python tools/train.py configs/drsa/spatial_q_max.py
# python tools/train.py configs/drsa/spatial_q_max.py recipe=paper data=mars
# Eight parts: model.head.parts=8
_base_ = ["spatial_q.py"]
model = dict(head=dict(pool="max"))
