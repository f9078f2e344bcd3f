# JLML with the penalties as losses in the quick recipe, too, as recipe=paper has them. Under the
# quick recipe's AdamW they switch features off whatever their weight is; see the results' page.
# python tools/train.py configs/jlml/subgradient.py
# Other weights: model.losses.sparse_local.weight=5e-5
_base_ = ["jlml.py"]
recipes = dict(
    quick=dict(
        hooks=dict(proximal=None),
        model=dict(
            losses=dict(
                sparse_global=dict(
                    domain="source", weight=5e-4, loss=dict(type="jlml/GroupLasso", layer="global")
                ),
                sparse_local=dict(
                    domain="source",
                    weight=5e-4,
                    loss=dict(type="jlml/ExclusiveGroupLasso", layer="local"),
                ),
            )
        ),
    )
)
