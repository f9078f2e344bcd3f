# The control of the oracle: real crops in place of the composites, so that a step sees as many
# images as there, and nothing new.
# python tools/train.py configs/dgnet/oracle_real.py
# Half the weight: model.losses.composites.weight=0.5
_base_ = ["oracle.py"]
data = dict(
    domains=dict(
        composites=dict(_delete_=True, type="SynthPed", domain="A", preset="few_shot", seed=0)
    )
)
