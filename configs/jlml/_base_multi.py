# Both branches, each with an identity loss of its own. Not an experiment of its own.
_base_ = ["_base_jlml.py"]
model = dict(
    losses=dict(
        id_global=dict(domain="source", weight=1.0, loss=dict(type="jlml/BranchLoss", branch=0)),
        id_local=dict(domain="source", weight=1.0, loss=dict(type="jlml/BranchLoss", branch=1)),
    ),
)
