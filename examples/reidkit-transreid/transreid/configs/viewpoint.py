# TransReID that also learns the viewpoint of every person, on a data set that brings it.
# reidkit train transreid/viewpoint
# reidkit train transreid/viewpoint data=synthped_viewpoints_tiny       # a minute
_base_ = ["transreid.py"]
groups = dict(data="synthped_viewpoints")
model = dict(
    aux_heads=dict(viewpoint=dict(type="transreid/ViewpointHead")),
    losses=dict(
        viewpoint=dict(
            domain="source",
            head="viewpoint",
            weight=0.2,
            loss=dict(type="transreid/ViewpointLoss"),
        ),
    ),
)
