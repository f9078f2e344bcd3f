# JLML without sparsity: ordinary weight decay on the feature layers.
# python tools/train.py configs/jlml/no_sparsity.py
# python tools/train.py configs/jlml/no_sparsity.py recipe=paper data=market1501
_base_ = ["jlml.py"]
model = dict(losses=dict(sparse_global=None, sparse_local=None))
train = dict(decay_mult={"head.branches.*.feature.weight": 1.0})
recipes = dict(quick=dict(hooks=dict(proximal=None)))
