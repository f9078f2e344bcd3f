# The oracle of the fine-grained loss: the baseline's network learns, with a second head, from its
# crops in the colours of other people, rendered, whose identity is whom the build, hair, bag and
# cut belong to. What is left of an identity there, no generator can leave more of. The second head
# serves training alone. Needs no teacher.
# python tools/train.py configs/dgnet/oracle_fine.py
# As much weight as the first head's: model.losses.fine.weight=1.0 model.losses.fine_real.weight=1.0
_base_ = ["baseline.py"]
data = dict(
    domains=dict(
        recoloured=dict(
            type="SynthPedComposites", domain="A", preset="few_shot", each=4, kind="colours"
        )
    )
)
_head = dict(type="dgnet/BottleneckHead", pool="max", dropout=0.75)
_loss = dict(head="fine", weight=0.2, loss=dict(type="CrossEntropyLoss"))  # of the first head's
model = dict(
    aux_heads=dict(fine=_head),
    losses=dict(fine_real=dict(_loss, domain="source"), fine=dict(_loss, domain="recoloured")),
)
recipes = dict(
    quick=dict(model=dict(aux_heads=dict(fine=dict(dim=128)))),
    long=dict(model=dict(aux_heads=dict(fine=dict(dim=128)))),
)
