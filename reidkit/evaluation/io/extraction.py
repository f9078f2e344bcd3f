"""An extraction: embeddings of any images, shard by shard, each of which is there whole or not.

```
out/  extraction.json            model, matcher, sources, and the keys of all shards in order
      shards/<key>.parquet       one row per image: file, identity, camera, time, features,
                                 visibility, maps; absent where no image could be embedded
      shards/<key>.json          written last: the shard is finished; how many images, what was bad
      bad_images.csv             image, reason; absent where every image was embedded
```

Parquet, so that other programs read it. Its pages carry checksums, which are compared when it is
read.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from reidkit.data.sources.records import Record
from reidkit.data.tables.arrays import DAMAGE
from reidkit.data.tables.read import pyarrow
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.structures import Embedding
from reidkit.utils.io import atomic_write

FILE, SHARDS, BAD = "extraction.json", "shards", "bad_images.csv"
FORMAT = 1
SETTINGS = ("sources", "column", "size")  # of which another extraction has others


@dataclass(frozen=True)
class Plan:
    """What an extraction is of.

    Attributes:
        model: fingerprint of the model.
        model_name: what it was opened as.
        matcher: type of its matcher.
        sources: as they were typed.
        column: of the images in Parquet files, or None.
        size: image files of one shard.
        shards: keys of all shards, in order.
    """

    model: str
    model_name: str
    matcher: str
    sources: tuple[str, ...]
    column: str | None
    size: int
    shards: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Note it in the folder, in place of the one before."""
        with atomic_write(folder / FILE, "w") as file:
            json.dump(dict(asdict(self), format=FORMAT), file, indent=1)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The plan of a folder.

        Raises:
            UserError: none there, unreadable, or of another format.
        """
        file = folder / FILE
        if not file.is_file():
            raise UserError(f"{folder}: no extraction, it has no {FILE}")
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if (known := values.pop("format")) != FORMAT:
                raise ValueError(f"of format {known}, this version reads {FORMAT}")
            lists = {name: tuple(map(str, values[name])) for name in ("sources", "shards")}
            if not all(key.isalnum() for key in lists["shards"]):
                raise ValueError("its shards have names that may be paths")
            return cls(**{**values, **lists})
        except (OSError, *WRONG_CONTENT) as error:
            raise UserError(f"{file}: not readable ({error}); extract again") from None


@dataclass(frozen=True)
class Finish:
    """What is known of a finished shard.

    Attributes:
        images: embedded ones.
        bad: name and reason of each image that was not.
        again: so many of these could not be read, so that another attempt may succeed.
    """

    images: int
    bad: Sequence[tuple[str, str]] = field(default_factory=list)
    again: int = 0

    @classmethod
    def read(cls, folder: Path, key: str) -> Self | None:
        """That of a shard; None where it is not finished."""
        try:
            values = json.loads((folder / SHARDS / f"{key}.json").read_text(encoding="utf-8"))
            bad = [(str(name), str(reason)) for name, reason in values["bad"]]
            return cls(int(values["images"]), bad, int(values["again"]))
        except (OSError, *WRONG_CONTENT):
            return None


@dataclass(frozen=True)
class Part:
    """The images of one shard.

    Attributes:
        files: names of the images.
        identities, cameras, times: of each, None where unknown.
        embedding: of all of them.
    """

    files: list[str]
    identities: list[str | None]
    cameras: list[int | None]
    times: list[float | None]
    embedding: Embedding

    def __len__(self) -> int:
        return len(self.files)


def write_shard(
    folder: Path, key: str, records: Sequence[Record], embedding: Embedding | None, finish: Finish
) -> None:
    """Write a shard; it counts when its ``.json`` is there, which is written last.

    Args:
        folder: of the extraction.
        key: of the shard.
        records: of the images that were embedded, M.
        embedding: of them; None where there are none.
        finish: what is noted of the shard.
    """
    place = folder / SHARDS
    if embedding is None:
        (place / f"{key}.parquet").unlink(missing_ok=True)
    else:
        arrow, parquet = pyarrow(place / f"{key}.parquet")
        columns = {
            "file": arrow.array([one.name for one in records], arrow.string()),
            "identity": arrow.array([one.identity for one in records], arrow.string()),
            "camera": arrow.array([one.camera for one in records], arrow.int64()),
            "time": arrow.array([one.time for one in records], arrow.float64()),
        }
        shapes = {}
        for name, tensor in embedding._tensors().items():
            values = tensor.float().cpu().numpy()
            shapes[name] = list(values.shape[1:])
            label = "features" if name == "vectors" else name
            columns[label] = _lists(arrow, values[:, 0] if shapes[name][0] == 1 else values)
        table = arrow.table(columns, metadata={"shapes": json.dumps(shapes)})
        with atomic_write(place / f"{key}.parquet") as file:
            parquet.write_table(table, file, compression="zstd", use_dictionary=False,
                                write_page_checksum=True)  # fmt: skip
    with atomic_write(place / f"{key}.json", "w") as file:
        json.dump(asdict(finish), file)


def _lists(arrow: Any, values: np.ndarray) -> Any:
    """Lists of fixed length within each other, without a copy of the numbers."""
    column = arrow.array(np.ascontiguousarray(values).reshape(-1))
    for length in reversed(values.shape[1:]):
        column = arrow.FixedSizeListArray.from_arrays(column, length)
    return column


class Extraction:
    """A finished extraction, to be gone through shard by shard or taken as a whole.

    Args:
        folder: of ``reidkit extract --images``.

    Raises:
        UserError: no extraction, or one that is not finished.

    Example:
        >>> extraction = Extraction("embeddings")                                # doctest: +SKIP
        >>> for part in extraction:                                              # doctest: +SKIP
        ...     gallery.enrol(part.identities, part.embedding, model=extraction.plan.model)
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.plan = Plan.read(self.folder)
        found = {key: Finish.read(self.folder, key) for key in self.plan.shards}
        self.finishes = {key: finish for key, finish in found.items() if finish is not None}
        missing = len(found) - len(self.finishes)
        if missing:
            raise UserError(
                f"{self.folder}: {missing} of {len(found)} shards are not there yet; type the "
                "command that makes it again"
            )

    def __len__(self) -> int:
        return sum(finish.images for finish in self.finishes.values())

    def __iter__(self) -> Iterator[Part]:
        for key, finish in self.finishes.items():
            if finish.images:
                yield read_part(self.folder / SHARDS / f"{key}.parquet", finish.images)

    def whole(self) -> Part:
        """All images together, in main memory.

        Raises:
            UserError: there are none, or a file is damaged.
        """
        parts = list(self)
        if not parts:
            raise UserError(f"{self.folder}: no image could be embedded; {BAD} says why")
        return Part(
            [name for part in parts for name in part.files],
            [one for part in parts for one in part.identities],
            [one for part in parts for one in part.cameras],
            [one for part in parts for one in part.times],
            Embedding.cat([part.embedding for part in parts]),
        )

    def columns(self) -> dict[str, Any]:
        """Columns as a file of features has them; labels that an image lacks are left out.

        Raises:
            UserError: as ``whole``; maps, which no file of features holds.
        """
        part = self.whole()
        tensors = part.embedding._tensors()
        if "maps" in tensors:
            raise UserError(
                f"{self.folder}: holds feature maps, which are evaluated from a feature store: "
                "reidkit extract without --images"
            )
        labels: dict[str, list[Any]] = dict(
            identity=part.identities, camera=part.cameras, time=part.times
        )
        known = {name: values for name, values in labels.items() if None not in values}
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        return dict(file=part.files, features=arrays.pop("vectors"), **arrays, **known)


def read_part(file: Path, images: int) -> Part:
    """The images of one shard's Parquet file.

    Args:
        file: of ``write_shard``.
        images: how many it has.

    Raises:
        UserError: it is missing or damaged.
    """
    arrow, parquet = pyarrow(file)
    try:
        table = parquet.read_table(file, page_checksum_verification=True, partitioning=None)
        shapes: Mapping[str, Sequence[int]] = json.loads(table.schema.metadata[b"shapes"])
        tensors = {}
        for name, shape in shapes.items():
            column = table["features" if name == "vectors" else name].combine_chunks()
            while arrow.types.is_fixed_size_list(column.type):
                column = column.flatten()
            values = column.to_numpy(zero_copy_only=False).astype(np.float32, copy=True)
            tensors[name] = torch.from_numpy(values.reshape(images, *shape))
        labels = [table[name].to_pylist() for name in ("file", "identity", "camera", "time")]
        if any(len(values) != images for values in labels):
            raise ValueError(f"{table.num_rows} rows for {images} images")
        files, identities, cameras, times = labels
        return Part(files, identities, cameras, times, Embedding(**tensors))
    except (*DAMAGE, *WRONG_CONTENT) as error:
        raise UserError(
            f"{file}: missing or damaged ({error}); remove the .json beside it and extract again"
        ) from None


def write_bad(folder: Path, finishes: Sequence[Finish]) -> int:
    """List all images that were not embedded; returns their number.

    Args:
        folder: of the extraction.
        finishes: of all its shards.
    """
    bad = [row for finish in finishes for row in finish.bad]
    if not bad:
        (folder / BAD).unlink(missing_ok=True)
        return 0
    with atomic_write(folder / BAD, "w") as file:
        csv.writer(file, lineterminator="\n").writerows([("image", "reason"), *bad])
    return len(bad)
