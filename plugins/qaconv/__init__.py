"""QAConv: compare feature maps by their best local matches, and learn only how to add these up.

1. ``backbone``: a ResNet up to its third stage, with IBN-b and batch norm that stays as it is.
2. ``heads``: a 3x3 convolution and unit length per cell: the map that is compared.
3. ``matching``, ``kernel``, ``matcher``: every cell of either map finds its best match in the other
   (query-adaptive convolution); the maxima are weighted and added. It is the model's matcher.
4. ``losses``, ``memory``: batch-hard triplets or all pairs on scores; the class memory of 1.x.
5. ``sampler``: a batch is a class and its nearest classes, by a graph made before every epoch.
6. ``transforms``, ``schedule``: occlusion and the other augmentations; when the rate falls.
7. ``tlift``: what was seen near a person in time should be seen near them elsewhere, too.

The claim: local matching has little to learn, so it transfers to cameras never trained on.
"""

from . import (
    backbone,
    heads,
    matching,
    kernel,
    matcher,
    losses,
    memory,
    sampler,
    transforms,
    schedule,
    tlift,
)
