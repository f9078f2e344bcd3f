"""TransReID: a vision transformer that knows the camera, and learns from jigsaws of its patches.

1. ``cameras``: a learned vector for every training camera (side information embeddings).
2. ``backbone``: a transformer on overlapping patches that adds it to all tokens.
3. ``jigsaw``: patches shifted, shuffled and cut into groups, each a local vector; their loss.
4. ``viewpoint``: side information as something to learn: a data set that brings the viewpoint of
   each person, a head that guesses it, and the loss of the guess. Ours, not the paper's.
"""

from . import backbone, cameras, jigsaw, viewpoint

__all__ = ["backbone", "cameras", "jigsaw", "viewpoint"]
