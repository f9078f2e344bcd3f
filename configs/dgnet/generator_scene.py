# The generator of the person alone, who is laid over the crop that lends the structure; E_s sees
# no brightness (a departure that takes keypoints; why: plugins/dgnet/scene.py).
# python tools/train.py configs/dgnet/generator_scene.py
# 2,000 iterations in place of 600, for composites to look at: recipe=long
_base_ = ["generator.py"]
model = dict(networks=dict(structure="scene"))
