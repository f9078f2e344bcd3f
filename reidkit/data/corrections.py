"""Corrected labels of a data set: a CSV beside its images, which every reader applies.

```
split,file,identity,corrected
gallery,0017_c3_01.jpg,17,23
query,0040_c1_07.jpg,40,-1
,,51,52
```

The first image was labelled 17 and shows 23; the second shows nobody (-1, junk); 51 and 52 are one
person, all images of 51 become 52's. ``identity`` is the label that was there, so that a table for
other data is refused. Rows about images come before those about identities.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reidkit.data.identities import JUNK, whole_number
from reidkit.data.split import Split
from reidkit.data.tables.read import read_table
from reidkit.errors import UserError
from reidkit.utils.io import atomic_write

FILE = "corrections.csv"
COLUMNS = ("split", "file", "identity", "corrected")


@dataclass(frozen=True)
class Correction:
    """One row.

    Attributes:
        identity: the label that is there.
        corrected: what it should be; -1 for an image that shows nobody.
        split, file: of the image, as in ``Split.paths``; empty where all images of the identity
            are meant.
    """

    identity: int
    corrected: int
    split: str = ""
    file: str = ""


def read_corrections(path: Path) -> list[Correction]:
    """The rows of a table.

    Raises:
        UserError: columns that are missing, or a cell that is no identity.
    """
    table = read_table(path, errors="surrogateescape")
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; expected {','.join(COLUMNS)}")
    rows = []
    for number, cells in enumerate(zip(*(table[name] for name in COLUMNS), strict=True), 2):
        split, file = ("" if cell is None else str(cell) for cell in cells[:2])
        try:
            before, after = (whole_number(cell) for cell in cells[2:])
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from None
        if bool(split) != bool(file) or after < JUNK or before < JUNK:
            raise UserError(
                f"{path}, line {number}: expected an image (split and file) or neither, and "
                f"identities from -1; got {','.join(map(str, cells))}"
            )
        rows.append(Correction(before, after, split, file))
    return rows


def write_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Write a table whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in corrections:
        writer.writerow([one.split, one.file, one.identity, one.corrected])
    with atomic_write(path) as file:
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))


def apply_corrections(
    splits: Mapping[str, Split], corrections: Sequence[Correction], source: str = FILE
) -> dict[str, Split]:
    """Splits with corrected identities; images that show nobody any more stay as junk.

    Args:
        splits: of a reader.
        corrections: those of images first, then those of identities, each in their order.
        source: the file, for messages.

    Raises:
        UserError: a split, image or label that is not there.

    Example:
        >>> splits = {"query": Split("toy", "query", "toy", ("a.jpg", "b.jpg"), [7, 3], [1, 2])}
        >>> rows = [Correction(7, 5, "query", "a.jpg"), Correction(3, 5)]
        >>> apply_corrections(splits, rows)["query"].identities
        array([5, 5])
    """
    identities = {name: split.identities.copy() for name, split in splits.items()}
    images = [one for one in corrections if one.file]
    places = {
        name: {path: row for row, path in enumerate(split.paths)}
        for name, split in splits.items()
        if any(one.split == name for one in images)
    }
    for one in images:
        row = places.get(one.split, {}).get(one.file)
        if row is None:
            raise UserError(f"{source}: {one.split} has no image {one.file}")
        label = int(splits[one.split].identities[row])
        if label != one.identity:
            raise UserError(
                f"{source}: {one.split}/{one.file} has identity {label}, not {one.identity}: the "
                "table is of other data, or was applied to the files already"
            )
        identities[one.split][row] = one.corrected
    for one in corrections:
        if one.file:
            continue
        own = {name: values == one.identity for name, values in identities.items()}
        if not any(mask.any() for mask in own.values()):
            raise UserError(f"{source}: no image of identity {one.identity}")
        for name, mask in own.items():
            identities[name][mask] = one.corrected
    return {
        name: split if np.array_equal(identities[name], split.identities)
        else replace(split, identities=identities[name])
        for name, split in splits.items()
    }  # fmt: skip


def corrected(splits: Mapping[str, Split], folder: Path, notes: list[str]) -> dict[str, Split]:
    """The splits of a data set with the corrections that lie in its folder, if there are any.

    Args:
        splits: of a reader.
        folder: of the data set.
        notes: of the reader; one is added.
    """
    file = folder / FILE
    if not file.is_file():
        return dict(splits)
    rows = read_corrections(file)
    images = sum(bool(one.file) for one in rows)
    notes.append(
        f"{FILE}: {images} images and {len(rows) - images} identities have corrected labels"
    )
    return apply_corrections(splits, rows, file.as_posix())
