# Group LASSO on the global feature layer, which takes the place of its weight decay.
model = dict(
    head=dict(feature_decay=False),
    losses=dict(
        sparse_global=dict(
            domain="source", weight=5e-4, loss=dict(type="jlml/GroupLasso", layer="global")
        ),
    ),
)
