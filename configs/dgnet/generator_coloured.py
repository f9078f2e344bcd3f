# The generator of the control in which the structure code may carry the clothes' colours.
# python tools/train.py configs/dgnet/generator_coloured.py
# Structure of one channel less: model.networks.structure_dim=7
_base_ = ["generator.py"]
model = dict(networks=dict(structure="colour"))
