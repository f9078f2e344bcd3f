"""Moving the fields of a batch that lie on the image's grid along with its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from reidkit.structures import ReIDBatch


def move_grid(
    batch: ReIDBatch, images: Tensor, move: Callable[[str, Tensor], Tensor], empties: bool = True
) -> ReIDBatch:
    """The batch with other images, and every field on their grid moved likewise.

    Args:
        batch: before the move.
        images: (N, 3, H, W) after it.
        move: (name of a field, its tensor (N, ..., h, w)) -> the moved tensor.
        empties: whether cells can leave the image: a region of ``masks`` (N, R, h, w) that has none
            left is then no longer visible in ``visibility`` (N, R).

    Example:
        >>> from reidkit.structures import Field
        >>> masks = Field(torch.tensor([[[[True, False]]]]), grid=True)
        >>> batch = ReIDBatch(torch.zeros(1, 3, 1, 2), fields={"masks": masks})
        >>> move_grid(batch, batch.images, lambda name, cells: cells.flip(-1))["masks"].tolist()
        [[[[False, True]]]]
    """
    grid = {n: one for n, one in batch.fields.items() if one.grid}
    result = batch.with_fields(**{n: move(n, one.tensor) for n, one in grid.items()})
    result = replace(result, images=images)
    if empties and "masks" in grid and "visibility" in result:
        seen = result["visibility"] * result["masks"].flatten(2).any(2)
        result = result.with_fields(visibility=seen)
    return result


def resample_cells(cells: Tensor, resample: Callable[[Tensor], Tensor]) -> Tensor:
    """Masks or classes through a function of float maps that takes the nearest cell.

    Args:
        cells: (N, h, w) or (N, R, h, w), bool or whole numbers.
        resample: (N, R, h, w) float -> the same shape.

    Example:
        >>> resample_cells(torch.tensor([[[0, 5]]]), lambda maps: maps.flip(-1))
        tensor([[[5, 0]]])
    """
    maps = cells.float() if cells.ndim == 4 else cells[:, None].float()
    moved = resample(maps)
    moved = moved if cells.ndim == 4 else moved[:, 0]
    return moved > 0.5 if cells.dtype == torch.bool else moved.to(cells.dtype)
