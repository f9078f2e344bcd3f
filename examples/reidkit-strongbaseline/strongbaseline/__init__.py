"""Bag of tricks: a global ResNet that is trained well.

1. ``neck``: BNNeck. The identity loss wants features on a hypersphere, the metric losses want them
   where they are; a batch norm between the two lets both have their way.
2. ``centre``: every identity has a centre, and its images are drawn towards it.

The other tricks are options of reidkit's own parts: random erasing, label smoothing, the last
stride, batches of P identities with K images, and a warm-up of the learning rate.
"""

from . import neck, centre  # isort: skip

__all__ = ["centre", "neck"]
