# The generator whose structure shows no clothes: the background as it is, the person in grey of
# unknown brightness (a departure that takes keypoints; why: plugins/dgnet/scene.py).
# python tools/train.py configs/dgnet/generator_scene.py
# Five times the iterations, for composites to look at: recipe=long
_base_ = ["generator.py"]
model = dict(networks=dict(structure="scene"))
