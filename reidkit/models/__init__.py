"""Models: backbones, the field's heads and losses, and the model that joins them."""

from reidkit.models import (  # noqa: F401
    adapters,
    backbones,
    heads,
    losses,
    oim,
    osnet,
    preprocess,
    reid_model,
    timm_backbone,
)
