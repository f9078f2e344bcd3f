# The global branch alone.
# python tools/train.py configs/jlml/global_only.py
# python tools/train.py configs/jlml/global_only.py recipe=paper data=market1501
# Without sparsity: ~model.losses.sparse_global ~train.decay_mult
_base_ = ["jlml.py"]
model = dict(
    backbone=dict(branch="global"),
    losses=dict(
        id_global=None,
        id_local=None,
        sparse_local=None,
        id=dict(domain="source", loss=dict(type="CrossEntropyLoss")),
    ),
)
