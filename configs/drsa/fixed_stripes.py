# Fixed stripes: four bands of equal height in place of learned maps, mean over the frames. What
# parts are worth on this data when nothing has to be found.
# python tools/train.py configs/drsa/fixed_stripes.py
# python tools/train.py configs/drsa/fixed_stripes.py recipe=paper data=mars
# Learned maps that start there, a departure:
# model.head.attention=independent +model.head.init=stripes
_base_ = ["spatial_only.py"]
model = dict(head=dict(parts=4, attention="stripes"))
