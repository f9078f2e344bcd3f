"""DRSA: video re-identification by parts that are found without labels and pooled over time.

1. ``sampler``: N frames per tracklet, one from each of N equal chunks.
2. ``spatial``: K spatial attention models look for parts of the body on the feature map; each gates
   the map to one vector.
3. ``enhance``: what is done to a gated vector before it is compared.
4. ``losses``: the Hellinger distance between the K maps keeps them apart (Q), or its rival (Q').
5. ``temporal``: each part is pooled over the frames by an attention of its own.
6. ``head``: the parts joined to one 128-d vector per tracklet, learned with the core's OIM loss.
7. ``transforms``, ``picture``: experiments with hidden parts; what the attention looks at.

The claim: a frame counts only for the parts that it shows well.
"""

from . import sampler, spatial, enhance, losses, temporal, head, transforms, picture
