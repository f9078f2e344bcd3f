# DRSA: six spatial attention models kept apart by Q, a temporal attention for each of them, and at
# last everything tuned with the CNN (SpaAtn+Q+TemAtn+Ind).
# python tools/train.py configs/drsa/drsa.py
# python tools/train.py configs/drsa/drsa.py recipe=paper data=mars
# Twelve frames per tracklet at the test: input.frames.test.frames=12
_base_ = ["spatial_q.py"]
model = dict(head=dict(pool="attn"))
