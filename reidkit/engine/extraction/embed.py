"""One shard from its source to its file: read, decoded, embedded, written whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from reidkit.data.sources import Record, Shard, read_shard
from reidkit.engine.crop_inputs import Encoded
from reidkit.engine.extractor import Extractor
from reidkit.errors import UserError
from reidkit.evaluation.io.extraction import Finish, write_shard
from reidkit.structures import Embedding

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What is done with each shard.

    Attributes:
        folder: of the extraction; every process writes into it.
        column: of the images in Parquet files, or None.
        batch_size: images in one forward pass.
    """

    folder: str
    column: str | None = None
    batch_size: int = 64


def embed_shard(extractor: Extractor, shard: Shard, task: Task) -> Finish:
    """Embed the images of a shard and write it.

    The next images are read while the model is at work. An image that cannot be read, decoded or
    labelled is noted with its reason and left out.

    Args:
        extractor: the model.
        shard: of ``reidkit.data.sources.list_shards``.
        task: see `Task`.

    Raises:
        UserError: a Parquet file without the column; a disk that is full.
    """
    records: list[Record] = []
    parts: list[Embedding] = []
    bad: list[Record] = []
    for batch in ahead(read_shard(shard, task.column, task.batch_size)):
        good = [one for one in batch if one.data is not None]
        lost = [one for one in batch if one.data is None]
        embedding, undecodable = _embedded(extractor, good, task.batch_size)
        if embedding is not None:
            parts.append(embedding)
        records += [one for row, one in enumerate(good) if row not in undecodable]
        bad += lost
        bad += [Record(good[row].name, problem=why) for row, why in undecodable.items()]
    reasons = [(one.name, one.problem) for one in bad]
    finish = Finish(len(records), reasons, sum(one.again for one in bad))
    whole = Embedding.cat(parts) if parts else None
    write_shard(Path(task.folder), shard.key, records, whole, finish)
    return finish


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, of which the next is fetched by a thread while one is used.

    Example:
        >>> list(ahead(iter([1, 2, 3])))
        [1, 2, 3]
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item


def _embedded(
    extractor: Extractor, records: Sequence[Record], batch_size: int
) -> tuple[Embedding | None, dict[int, str]]:
    """The embedding of those that can be decoded, and why the others, by their rows, cannot.

    Nearly every batch is without a fault, so images are decoded one by one only after one failed.
    """
    if not records:
        return None, {}
    try:
        return _forward(extractor, records, batch_size), {}
    except UserError:
        bad = _undecodable(extractor, records)
        if not bad:  # something else than an image
            raise
    good = [one for row, one in enumerate(records) if row not in bad]
    return (_forward(extractor, good, batch_size) if good else None), bad


def _forward(extractor: Extractor, records: Sequence[Record], batch_size: int) -> Embedding:
    crops = [one.data or b"" for one in records]
    cameras = [one.camera for one in records if one.camera is not None]
    known = cameras if len(cameras) == len(records) else None
    return extractor(crops, batch_size, cameras=known)


def _undecodable(extractor: Extractor, records: Sequence[Record]) -> dict[int, str]:
    """Rows of the images that cannot be decoded, and why."""
    place = np.empty((*extractor.cfg.input.size, 3), np.uint8)
    reasons = {}
    for row, one in enumerate(records):
        crop = Encoded(one.data or b"", one.name)
        try:
            crop.into(place, extractor.cfg.input.resize)
            _ = crop.pixels  # as a labeller reads it
        except UserError as error:
            reasons[row] = str(error).removeprefix(f"{one.name}: ").partition(";")[0]
    return reasons
