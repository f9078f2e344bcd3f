"""The losses: identities over visible parts, balanced part segmentation, and the triplet extra.

Shapes: N images, P parts, D dims, K classes, H W cells of the part map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.models.losses import euclidean, hardest_pairs
from reidkit.registry import LOSSES


@LOSSES.register_module()
class VisibleIDLoss(nn.Module):
    """Cross-entropy of the identity for every part, over the images in which the part is visible.

    Averaged over those images, then summed (not averaged) over the parts. A part that no image of
    the batch shows adds nothing and sends no gradient.

    Shape:
        logits (N, P, K) float, identities (N,) int64 in [0, K), visibility (N, P) in [0, 1] or
        None: all visible. Returns () float.

    Raises:
        ValueError: shapes that do not fit.

    Source:
        EANet, arXiv 1812.11369, Eq. 2. Departure: Eq. 2 averages over all images; like the released
        code we average over the visible ones, per part.

    Example:
        >>> logits = torch.tensor([[[2., 0], [0, 0]], [[0, 1], [3, 0]], [[1, 1], [0, 2]]])
        >>> visibility = torch.tensor([[1., 1], [1, 0], [1, 1]])
        >>> VisibleIDLoss()(logits, torch.tensor([0, 1, 0]), visibility)
        tensor(1.7878)
    """

    def __init__(self) -> None:  # closes the signature of nn.Module for the registry
        super().__init__()

    def forward(
        self, logits: Tensor, identities: Tensor, visibility: Tensor | None = None
    ) -> Tensor:
        """The loss of one batch."""
        if logits.ndim != 3 or identities.shape != logits.shape[:1]:
            raise ValueError(
                f"logits must be (N, P, K) with identities (N,), got {tuple(logits.shape)} and "
                f"{tuple(identities.shape)}"
            )
        if visibility is not None and visibility.shape != logits.shape[:2]:
            raise ValueError(
                f"visibility must be (N, P) = {tuple(logits.shape[:2])}, "
                f"got {tuple(visibility.shape)}"
            )
        wanted = identities[:, None].expand(logits.shape[:2])
        losses = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
        losses = losses.view(logits.shape[:2])  # [N,P]
        if visibility is None:
            return losses.mean(0).sum()
        visibility = visibility.to(losses.dtype)
        return ((visibility * losses).sum(0) / (visibility.sum(0) + 1e-12)).sum()


@LOSSES.register_module()
class PartSegLoss(nn.Module):
    """Cross-entropy on body-part labels in which every part counts the same, however small.

    Pixels are averaged within each part over the whole batch, then over the parts that occur.
    A plain pixel mean would let background and torso drown the feet.

    Args:
        normalize: "part" as above, or "pixel" for the plain mean over all pixels (the paper's
            "SA" ablation).

    Shape:
        logits (N, K, H, W) float: one channel per part, background included.
        part_map (N, H, W) int64 in [0, K): there is no ignore value.
        returns () float, on the device of the logits.

    Raises:
        ValueError: unknown normalize; logits and part_map differ in N, H or W; a label outside
            [0, K).

    Source:
        EANet, arXiv 1812.11369, Eq. 4. Departure: the paper divides by K; like the released code,
        we divide by the number of parts present (3 of 4 below) + 1e-8.

    Example:
        >>> pixels = torch.tensor([[2., 0, 0, 0]] * 3 +
        ...                       [[0., 1, 0, 0], [0., 0, 3, 0], [1., 0, 0, 0]])
        >>> part_map = torch.tensor([0, 0, 0, 1, 2, 2]).view(1, 1, 6)
        >>> logits = pixels.T.reshape(1, 4, 1, 6)
        >>> PartSegLoss()(logits, part_map), PartSegLoss(normalize="pixel")(logits, part_map)
        (tensor(0.6753), tensor(0.6081))
    """

    def __init__(self, normalize: str = "part"):
        super().__init__()
        if normalize not in ("part", "pixel"):
            raise ValueError(f'normalize must be "part" or "pixel", got {normalize!r}')
        self.normalize = normalize

    def forward(self, logits: Tensor, part_map: Tensor) -> Tensor:
        """The loss of one batch."""
        classes = logits.shape[1]
        if part_map.shape != (len(logits), *logits.shape[2:]):
            raise ValueError(
                f"part_map must be (N, H, W) = {(len(logits), *logits.shape[2:])}, "
                f"got {tuple(part_map.shape)}"
            )
        lowest, highest = (int(bound) for bound in part_map.aminmax())
        if lowest < 0 or highest >= classes:
            raise ValueError(f"part labels must lie in [0, {classes}), got {lowest} to {highest}")
        if self.normalize == "pixel":
            return F.cross_entropy(logits, part_map)
        counts = torch.bincount(part_map.flatten(), minlength=classes)
        # a weight of 1 / count for every pixel adds up to the sum of the means of the parts
        weights = counts.to(logits.dtype).clamp(min=1).reciprocal()
        summed = F.cross_entropy(logits, part_map, weight=weights, reduction="sum")
        return summed / ((counts > 0).sum() + 1e-8)


@LOSSES.register_module()
class PartGroupTripletLoss(nn.Module):
    """Batch-hard triplet loss on groups of parts, each group joined to one vector.

    For every image and group: its farthest image of the same identity against the nearest of
    another one, hinged at the margin; averaged over the images, summed over the groups. Visibility
    is ignored. Wants batches with several images per identity.

    Args:
        groups: part indices of each group; parts 1-6, 7-8 and 9 of the paper's regions.
        margin: in units of the Euclidean distance between un-normalised vectors.

    Shape:
        vectors (N, P, D) float, identities (N,) int64, returns () float. 0 if no image has both
        another image of its identity and one of another identity.

    Raises:
        ValueError: a group names a part that is not there.

    Source:
        EANet's optional extra (not in the paper), batch-hard mining of arXiv 1703.07737. An image
        without a positive or without a negative is left out.

    Example:
        >>> vectors = torch.tensor([0., 1., 0.5, 3.]).view(4, 1, 1)
        >>> loss = PartGroupTripletLoss(groups=((0,),), margin=0.3)
        >>> loss(vectors, torch.tensor([0, 0, 1, 1]))
        tensor(1.1750)
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]] = ((0, 1, 2, 3, 4, 5), (6, 7), (8,)),
        margin: float = 0.3,
    ):
        super().__init__()
        self.groups, self.margin = [list(group) for group in groups], margin

    def forward(self, vectors: Tensor, identities: Tensor) -> Tensor:
        """The loss of one batch."""
        if max(map(max, self.groups)) >= vectors.shape[1]:
            raise ValueError(f"groups {self.groups} name parts beyond the {vectors.shape[1]} given")
        return sum(
            self._batch_hard(vectors[:, group].flatten(1), identities) for group in self.groups
        )

    def _batch_hard(self, joined: Tensor, identities: Tensor) -> Tensor:
        distances = euclidean(joined)
        positive, negative = hardest_pairs(distances, identities)
        if not len(positive):
            return distances.sum() * 0
        return (positive - negative + self.margin).relu().mean()
