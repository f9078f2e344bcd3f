"""EANet: re-identification by parts that lie on the body, not on the image grid.

1. ``regions``: 17 keypoints -> nine region masks on the feature map, and which are visible.
2. ``transforms``: a batch gets its masks before it is flipped; the experiments' controls.
3. ``pooling``, ``embedding``, ``heads``: part aligned pooling (PAP) gives every region a vector, an
   embedding and a classifier; beside it stripes (PCB), global pooling and part segmentation (PS).
4. ``losses``: identity over visible parts, part-balanced segmentation, the triplet extra.
5. ``matcher``: distance over the parts that the query shows.
6. ``cft``: clusters of an unlabelled domain become its identities, for fine-tuning.

The claim: segmenting parts also on *unlabelled* target images aligns the target domain.
"""

from . import regions, transforms, pooling, embedding, heads, losses, matcher, cft
