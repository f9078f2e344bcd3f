"""Blocks of distances of some queries to the whole gallery, streamed through one piece of memory.

Shape letters: Q queries, G gallery images, b queries of a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher, tensor_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.ranking.memory import MEGABYTE, empty
from reidkit.evaluation.ranking.repeats import Repeats
from reidkit.structures import Embedding


def blocks(
    query: Embedding,
    gallery: Embedding,
    matcher: nn.Module,
    block_mb: float,
    distances: bool = False,
) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of values of some queries against the whole gallery, in one reused buffer.

    Args:
        query: raw query embeddings; moved to the gallery's device block by block.
        gallery: raw gallery embeddings.
        matcher: a `Matcher`, or any module with ``forward(query, gallery)``.
        block_mb: memory of a block, megabytes; at least one query is taken at a time.
        distances: give distances; otherwise values that order each row as distances do.

    Shape:
        yields (rows, values (b, G) float32); values are overwritten by the next block. Equal
        gallery images have equal values, see `Repeats`.
    """
    for rows, values, _ in prepared_blocks(query, gallery, matcher, block_mb, distances):
        if not torch.isfinite(values.sum()):
            refuse(values, 0, matcher)
        yield rows, values


def prepared_blocks(
    query: Embedding,
    gallery: Embedding,
    matcher: nn.Module,
    block_mb: float,
    distances: bool,
    repeats: Repeats | None = None,
) -> Iterator[tuple[slice, Tensor, Prepared | None]]:
    """As `blocks`, with each block's queries as the matcher prepared them; None of a plain module.

    Values may be NaN or infinite.

    Args:
        query, gallery, matcher, block_mb, distances: as for `blocks`.
        repeats: of the gallery, where they are known.
    """
    device = tensor_of(gallery).device
    repeats = Repeats.of(gallery) if repeats is None else repeats
    ready = matcher.prepare(gallery, "gallery") if isinstance(matcher, Matcher) else None
    size = max(1, min(len(query), int(block_mb * MEGABYTE) // (4 * len(gallery))))
    memory = empty(size * len(gallery), device=device)
    for start in range(0, len(query), size):
        rows = slice(start, min(start + size, len(query)))
        part, count = query[rows].to(device), rows.stop - start
        out = memory[: count * len(gallery)].view(count, len(gallery))
        asked = None
        if ready is None:
            values = matcher(part, gallery)
        else:
            assert isinstance(matcher, Matcher)
            asked = matcher.prepare(part, "query")
            values = (matcher.compare if distances else matcher.order)(asked, ready, out)
        check(values, (count, len(gallery)), matcher)
        values = values.contiguous()
        repeats.level(values)
        yield rows, values, asked
        del part, asked  # before the next ones are prepared


def check(values: Tensor, shape: tuple[int, int], matcher: nn.Module) -> None:
    """Raise if a matcher returned another shape or type than it must."""
    if values.shape != shape or values.dtype != torch.float32:
        raise ValueError(
            f"matcher {type(matcher).__name__} must return {shape} float32, "
            f"got {tuple(values.shape)} {values.dtype}"
        )


def refuse(values: Tensor, first: int, matcher: nn.Module | None) -> None:
    """Raise if there are NaN or infinite values in a block from its row ``first`` on."""
    if bad := int((~torch.isfinite(values[first:])).sum()):
        raise UserError(
            f"matcher {type(matcher).__name__} gave {bad} distances that are NaN or infinite in "
            f"one block of {len(values)} x {values.shape[1]}; such distances cannot be ranked"
        )
