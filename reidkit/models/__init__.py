"""Models: backbones, the field's heads and losses, and the model that joins them."""

from reidkit.models import backbones, heads, losses, oim, preprocess, reid_model  # noqa: F401
