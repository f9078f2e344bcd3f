"""Mypaper: what the method does, in one sentence.

1. ``head``: features of the backbone -> the embedding, and identity logits in training.
2. ``loss``: what the logits are trained on.
"""

from . import head, loss  # noqa: F401
