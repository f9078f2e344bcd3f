"""Bag of tricks: a global ResNet that is trained well.

``centre``: every identity has a centre, and its images are drawn towards it.

The other tricks are parts of reidkit itself: the batch norm between metric losses and classifier
(``BNNeckHead``), random erasing, label smoothing, the last stride, batches of P identities with K
images, and a warm-up of the learning rate.
"""

from . import centre

__all__ = ["centre"]
