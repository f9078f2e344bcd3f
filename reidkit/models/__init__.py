"""Models: backbones, the field's heads and losses, and the model that joins them."""

from reidkit.models import adapters, backbones, heads, losses, preprocess, reid_model  # noqa: F401
