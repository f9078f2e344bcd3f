# JLML without sparsity: ordinary weight decay on the feature layers.
# python tools/train.py configs/jlml/no_sparsity.py
# python tools/train.py configs/jlml/no_sparsity.py recipe=paper data=market1501
_base_ = ["jlml.py"]
model = dict(head=dict(feature_decay=True), losses=dict(sparse_global=None, sparse_local=None))
