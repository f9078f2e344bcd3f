"""JLML: two views of a person, learned in one network and kept apart until the end.

1. ``blocks``: bottleneck blocks in stages, for one stream or several side by side.
2. ``streams``: the local branch: a map is cut into stripes, each with a stream of its own.
3. ``backbone``: low-level layers that both branches share, the global branch, the local streams.
   ``striped``: both on the map of a network that comes with weights.
4. ``heads``: a feature and a classifier for each branch; one classifier for both is the control.
5. ``sparsity``, ``losses``: identities of each branch alone; which inputs a feature may use.
6. ``matcher``: L1 beside the core's L2 and cosine, each branch at length 1.
7. ``picture``, ``hooks``: what was selected; selection by proximal steps.

The claim: global and local features complement each other best when each has a loss of its own.
"""

from . import blocks, streams, backbone, striped, heads, sparsity, losses, matcher, picture, hooks
