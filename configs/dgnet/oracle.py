# The oracle of DG-Net: the baseline learns beside its real crops from composites without a fault,
# SynthPed's people rendered in one another's poses, labelled with whom they show. What no generator
# can beat. Needs no teacher.
# python tools/train.py configs/dgnet/oracle.py
# Half the weight: model.losses.composites.weight=0.5
_base_ = ["baseline.py"]
data = dict(
    domains=dict(composites=dict(type="SynthPedComposites", domain="A", preset="few_shot", each=4))
)
model = dict(losses=dict(composites=dict(domain="composites", loss=dict(type="CrossEntropyLoss"))))
