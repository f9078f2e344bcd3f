"""Best local matches of two feature maps, without ever keeping the cell-by-cell similarities.

One pair of 24x8 maps has 36,864 similarities, which cost more to keep than to compute. So they are
made block by block in one buffer, and only the maxima leave it.

Shape letters: q queries, g gallery images, c channels, hw cells of a map, s a query's cell, r a
gallery image's cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Gallery images whose similarities stand side by side, so that both maxima run along memory. Fewer
# bytes, and both are several times slower; more, and a block leaves the cache too early.
SIDE_BY_SIDE = 128  # bytes
TILE = 64  # gallery images compared together where winners are kept
QUERIES = 64  # queries that share the laying out of a tile


def reference_scores(
    query: Tensor, gallery: Tensor, head: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """QAConv's score of every pair, as the paper says it: the specification.

    Three paths compute it: `best_matches` with gradients, for the losses; `weighted_sums` in a test
    on the CPU, or where Triton is missing; ``kernel.fused_sums`` in a test on CUDA.

    Args:
        query, gallery: unit cells.
        head: scores (1, 1) of the maxima (1, 1, hw) of a query's and of a gallery image's cells.

    Shape:
        query (q, hw, c), gallery (g, hw, c); returns (q, g).

    Source:
        QAConv, arXiv 1904.10424, section 3.2.
    """
    out = query.new_empty(len(query), len(gallery))
    for i, kernels in enumerate(query):  # each cell is a 1x1 convolution kernel
        for j, cells in enumerate(gallery):
            response = kernels @ cells.T  # (query's cells, gallery image's cells)
            forward, backward = response.amax(1), response.amax(0)
            out[i, j] = head(forward.view(1, 1, -1), backward.view(1, 1, -1))
    return out


def unit_cells(maps: Tensor) -> Tensor:
    """Feature maps as one unit vector per cell.

    Shape:
        maps (n, c, h, w) float; returns (n, h*w, c), float32 or float64; a zero cell stays zero.

    Example:
        >>> unit_cells(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1))
        tensor([[[0.6000, 0.8000]]])
    """
    wide = maps if maps.dtype == torch.float64 else maps.float()
    return F.normalize(wide.flatten(2), dim=1, eps=1e-12).transpose(1, 2)


def best_matches(query: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """For every query cell the similarity of the gallery image's best cell, and which one it is.

    The gradient reaches the winning pair of cells only; of equal cells the first wins.

    Shape:
        query (q, s, c), gallery (g, r, c), unit vectors of one float type.
        returns similarities (q, g, s) and cells (q, g, s) int64 in [0, r).

    Source:
        QAConv, arXiv 1904.10424: convolving the gallery's map with the query's cells as 1x1
        kernels, then the maximum over the map.

    Example:
        >>> query = torch.eye(2).view(1, 2, 2)
        >>> best_matches(query, torch.tensor([[[0.0, 1.0], [0.6, 0.8]]]))
        (tensor([[[0.6000, 1.0000]]]), tensor([[[1, 0]]]))
    """
    return _BestMatches.apply(query, gallery)  # type: ignore[no-untyped-call]


class _BestMatches(torch.autograd.Function):
    """`best_matches` that remembers winners in place of similarities."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        query, gallery = query.contiguous(), gallery.contiguous()
        (n, cells, _), (m, others, _) = query.shape, gallery.shape
        best = query.new_empty(n, cells, m)
        at = torch.empty(n, cells, m, dtype=torch.int64, device=query.device)
        memory = query.new_empty(cells * min(TILE, m) * others)
        for start in range(0, m, TILE):
            tile = gallery[start : start + TILE].flatten(0, 1).T  # (c, t*r)
            count = tile.shape[1] // others
            block = memory[: cells * tile.shape[1]].view(cells, tile.shape[1])
            for i in range(n):
                torch.mm(query[i], tile, out=block)
                into = slice(start, start + count)
                best[i, :, into], at[i, :, into] = _maximum(block.view(cells, count, others))
        ctx.save_for_backward(query, gallery, at)
        at = at.transpose(1, 2)
        ctx.mark_non_differentiable(at)
        return best.transpose(1, 2), at

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, Tensor | None]:
        query, gallery, at = ctx.saved_tensors
        to_query, to_gallery = (
            side.new_zeros(side.shape) if needed else None
            for side, needed in zip((query, gallery), ctx.needs_input_grad, strict=True)
        )
        grad, others, channels = grad.transpose(1, 2), gallery.shape[1], query.shape[2]
        for start in range(0, len(gallery), TILE):
            into = slice(start, start + TILE)
            flat = gallery[into].reshape(-1, channels)
            first = torch.arange(len(gallery[into]), device=at.device) * others
            for i in range(len(query)):
                rows, share = at[i, :, into] + first, grad[i, :, into]  # (s, t)
                if to_query is not None:
                    to_query[i] += torch.bmm(share[:, None], flat[rows])[:, 0]
                if to_gallery is not None:
                    sent = share[:, :, None] * query[i][:, None]
                    view = to_gallery[into].view(-1, channels)
                    view.index_add_(0, rows.flatten(), sent.flatten(0, 1))
        return to_query, to_gallery


def _maximum(block: Tensor) -> tuple[Tensor, Tensor]:
    """Largest value along the last axis and the first place that has it."""
    if block.device.type != "cpu":
        return block.max(2)
    # numpy's argmax uses vector registers, torch's does not: seven times faster
    at = torch.from_numpy(block.numpy().argmax(2))
    return block.amax(2), at


@torch.no_grad()
def weighted_sums(
    query: Tensor,
    gallery: Tensor,
    weights: tuple[Tensor, Tensor],
    out: Tensor,
    lengths: tuple[Tensor, Tensor] | None = None,
    products: torch.dtype = torch.float32,
) -> Tensor:
    """Both directions' best similarities, weighted by cell and added up: all a ranking needs.

    ``out[i, j] = sum_s weights[0][s] max_r S + sum_r weights[1][r] max_s S`` for the similarities
    S of query i and gallery image j. Extra memory is about 15 MB for 24x8 maps, whatever q and g.

    Args:
        query: maps of the queries.
        gallery: maps of the gallery, on any device.
        weights: of the query's and of the gallery's cells; they say on which device to compute.
        out: where to; on any device.
        lengths: what to multiply the cells of each side by, (q, hw) and (g, hw); None: nothing.
        products: type of the cells and of their similarities; maxima are added up in float32.

    Shape:
        query (q, c, h, w), gallery (g, c, h, w), weights (hw,) each, out (q, g) float32.

    Example:
        >>> maps = torch.eye(2).view(1, 2, 1, 2)
        >>> weights = (torch.tensor([0.5, 0.5]),) * 2
        >>> weighted_sums(maps, maps, weights, torch.empty(1, 1))
        tensor([[2.]])
    """
    device, width = weights[0].device, SIDE_BY_SIDE // products.itemsize
    cells, others = query[0, 0].numel(), gallery[0, 0].numel()
    tile = torch.zeros(query.shape[1], others, width, device=device, dtype=products)
    block = torch.empty(cells, others * width, device=device, dtype=products)
    forward = torch.empty(cells, width, device=device, dtype=products)
    backward = torch.empty(others, width, device=device, dtype=products)
    for top in range(0, len(query), QUERIES):
        rows = slice(top, top + QUERIES)
        kernels = _scaled(query, lengths, 0, rows).to(device, products)
        kernels = kernels.transpose(1, 2).contiguous()  # (n, s, c)
        sums = torch.empty(len(kernels), width, device=device)
        for start in range(0, len(gallery), width):
            into = slice(start, min(start + width, len(gallery)))
            part = _scaled(gallery, lengths, 1, into).to(device, products)
            tile[:, :, : len(part)] = part.permute(1, 2, 0)
            for i in range(len(kernels)):
                torch.mm(kernels[i], tile.view(len(tile), -1), out=block)
                similarities = block.view(cells, others, width)
                torch.amax(similarities, 1, out=forward)
                torch.amax(similarities, 0, out=backward)
                torch.mv(forward.float().T, weights[0], out=sums[i])
                sums[i].addmv_(backward.float().T, weights[1])
            out[rows, into] = sums[:, : len(part)].to(out.device)
    return out


def _scaled(maps: Tensor, lengths: tuple[Tensor, Tensor] | None, side: int, rows: slice) -> Tensor:
    """Cells (n, c, hw) of some images, times their factors."""
    flat = maps[rows].flatten(2)
    return flat if lengths is None else flat * lengths[side][rows, None]
