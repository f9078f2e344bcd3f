"""The fused kernel for CUDA: products and both maxima of a pair never leave the chip.

`matching.weighted_sums` is the reference, and what runs where Triton is missing. Products are of
float16 with float32 sums; maxima and weights are float32.

Shape letters: q queries, g gallery images, c channels, hw cells of a map, s a query's cell, r a
gallery image's cell.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from .matching import weighted_sums

CELLS = 64  # gallery cells in one product
IMAGES = 16  # gallery images that one program compares its query with
QUERIES, GALLERY = 256, 2048  # images on the card at a time


@torch.no_grad()
def fused_sums(
    query: Tensor,
    gallery: Tensor,
    weights: tuple[Tensor, Tensor],
    out: Tensor,
    lengths: tuple[Tensor, Tensor],
) -> Tensor:
    """`weighted_sums` on a CUDA card, with one kernel where Triton and the sizes allow it.

    Args:
        query, gallery, weights, out, lengths: as for `weighted_sums`.

    Shape:
        as `weighted_sums`; maps of at most 256 cells and channels a power of two from 16 to 128,
        else the plain way is taken (256 channels do not fit every card's shared memory).
    """
    channels, cells = query.shape[1], query[0, 0].numel()
    fits = channels in (16, 32, 64, 128) and cells <= 256
    if not fits or gallery[0, 0].numel() != cells or (launch := _kernel()) is None:
        return weighted_sums(query, gallery, weights, out, lengths)
    device = weights[0].device
    for start in range(0, len(gallery), GALLERY):
        into = slice(start, min(start + GALLERY, len(gallery)))
        right = _half_cells(gallery[into], lengths[1][into], device)
        for top in range(0, len(query), QUERIES):
            rows = slice(top, min(top + QUERIES, len(query)))
            left = _half_cells(query[rows], lengths[0][rows], device)
            sums = torch.empty(len(left), len(right), device=device)
            launch(left, right, weights, sums)
            out[rows, into] = sums.to(out.device)
    return out


def _half_cells(maps: Tensor, lengths: Tensor, device: torch.device) -> Tensor:
    """Unit cells (n, hw, c), float16, contiguous."""
    flat = maps.to(device).flatten(2) * lengths.to(device)[:, None]
    return flat.transpose(1, 2).to(torch.float16).contiguous()


@functools.cache
def _kernel() -> Any:
    """The launcher, compiled on first use; None without Triton."""
    try:
        import triton
        import triton.language as tl
    except ImportError:
        return None

    @triton.jit
    def pair_sums(
        query,
        gallery,
        weight_q,
        weight_g,
        out,
        n_gallery,
        cells: tl.constexpr,
        channels: tl.constexpr,
        padded: tl.constexpr,
        step: tl.constexpr,
        images: tl.constexpr,
    ):
        i = tl.program_id(0)
        first = tl.program_id(1) * images
        s, k = tl.arange(0, padded), tl.arange(0, channels)
        inside = s < cells
        kernels = tl.load(
            query + (i * cells + s)[:, None] * channels + k[None, :],
            mask=inside[:, None],
            other=0.0,
        )
        worth = tl.load(weight_q + s, mask=inside, other=0.0)
        for ahead in range(images):
            j = first + ahead
            if j < n_gallery:
                best = tl.full((padded,), float("-inf"), tl.float32)
                total = 0.0
                for start in range(0, cells, step):
                    r = start + tl.arange(0, step)
                    there = r < cells
                    tile = tl.load(
                        gallery + (j * cells + r)[None, :] * channels + k[:, None],
                        mask=there[None, :],
                        other=0.0,
                    )
                    scores = tl.dot(kernels, tile)  # (padded, step) float32
                    best = tl.maximum(best, tl.max(tl.where(there[None, :], scores, -2.0), 1))
                    back = tl.max(tl.where(inside[:, None], scores, -2.0), 0)
                    other = tl.load(weight_g + r, mask=there, other=0.0)
                    total += tl.sum(tl.where(there, back * other, 0.0), 0)
                total += tl.sum(tl.where(inside, best * worth, 0.0), 0)
                tl.store(out + i * n_gallery + j, total)

    def launch(left: Tensor, right: Tensor, weights: tuple[Tensor, Tensor], out: Tensor) -> None:
        cells, channels = left.shape[1:]
        grid = (len(left), triton.cdiv(len(right), IMAGES))
        pair_sums[grid](
            left,
            right,
            weights[0].float().contiguous(),
            weights[1].float().contiguous(),
            out,
            len(right),
            cells=cells,
            channels=channels,
            padded=max(16, triton.next_power_of_2(cells)),
            step=CELLS,
            images=IMAGES,
            num_warps=8,
        )

    return launch
