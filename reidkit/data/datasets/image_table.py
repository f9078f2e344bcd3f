"""Your own crops, listed in a table: CSV or Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.datasets.crop_table import CropTable
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.data.tables.columns import Column, meanings, real_numbers, rows_of_sides, texts
from reidkit.data.tables.read import read_table
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.registry import DATASETS

# two corners, and a corner and a size, as the columns of a box are met
CORNERS = (("x1", "y1", "x2", "y2"), ("x_1", "y_1", "x_2", "y_2"), ("xmin", "ymin", "xmax", "ymax"))
SIZES = (
    ("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"),
    ("bb_left", "bb_top", "bb_width", "bb_height"),
)  # fmt: skip
ROLES = ("is_query", "is_gallery")


@DATASETS.register_module()
class ImageTable(Reader):
    """Crops of a table: one row per crop, with file and identity, and what else is known.

    Columns, under these names or the usual others (``pid``, ``path``, ``camid``, ...), in any
    case: ``file`` below ``root``, ``identity`` (numbers or names); if there, ``camera`` (numbers or
    names), ``time`` (seconds, or a date), ``split`` (train, query, gallery, both, test), or
    ``is_query`` and ``is_gallery``, and a box as ``x1, y1, x2, y2`` or ``x, y, w, h``, in pixels:
    the crop is then that part of the image, cut out when it is read.

    Without ``split`` a share of the identities is held out; the rows of a split "test" are divided
    into query and gallery. Further columns are passed over.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it.
        table: the table, relative to ``root``: .csv or .parquet (which needs pyarrow).
        name: how results call it; default: the last part of ``root``.
        columns: column of the table -> what it means, where its name does not tell:
            ``dict(animal="identity", station="camera")``.
        junk: the identity whose images are left out of every ranking.
        distractor: the identity of images of nobody who is looked for.
        holdout: share of the identities for testing, where everything is divided.
        seed: of the division.

    Raises:
        ValueError: ``holdout`` outside (0, 1).
        UserError: see ``Reader.prepare``; a table that cannot be read; a missing column, two of one
            meaning, or a value that cannot be; a file listed that is not there.
    """

    title = "Table"
    how = "put a table of the crops there, with columns file and identity"

    def __init__(
        self,
        data_root: str,
        root: str,
        table: str = "crops.csv",
        name: str | None = None,
        columns: Mapping[str, str] | None = None,
        junk: str | int | None = None,
        distractor: str | int | None = None,
        holdout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(data_root, root)
        if not 0 < holdout < 1:
            raise ValueError(f"holdout must be between 0 and 1, got {holdout}")
        self.name = name or Path(root).name
        self.table, self.needed, self.columns = table, (table,), dict(columns or {})
        self.title = f"{type(self).title} {self.name}"
        self.junk, self.distractor, self.holdout, self.seed = junk, distractor, holdout, seed

    def candidates(self) -> list[Path]:
        """Only the folder itself; see ``Reader.candidates``."""
        return [self.data_root / self.root]

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the table; see ``Reader.read``."""
        columns = self.read_columns(folder)
        crops = self.crops(folder, columns)
        splits, notes = crops.divided(
            self.name, folder, self.title, self.junk, self.distractor, self.holdout, self.seed
        )
        self.notes += notes
        return splits

    def read_columns(self, folder: Path) -> dict[str, Column]:
        """The columns of the table by what they mean."""
        file = folder / self.table
        stored = read_table(file, errors="surrogateescape")
        missing = [name for name in self.columns if name not in stored]
        if missing:
            raise UserError(
                f"{file}: no column '{missing[0]}', which the option columns names; it has: "
                f"{', '.join(stored)}"
            )
        named = {self.columns.get(name, name): cells for name, cells in stored.items()}
        if len(named) < len(stored):
            raise UserError(f"{file}: columns={self.columns} gives two columns one meaning")
        columns = meanings(named, str(file))
        for name in ("file", "identity"):
            if name not in columns:
                raise UserError(
                    f"{file}: no column '{name}'; it has: {', '.join(stored)}. Say which one it is:"
                    f" columns=dict({next(iter(stored), 'other')}='{name}')"
                )
        return columns

    def crops(self, folder: Path, columns: Mapping[str, Column]) -> CropTable:
        """The rows of the table as crops."""
        paths = [_relative(path, columns["file"].where) for path in texts(columns["file"])]
        missing = sorted({path for path in paths if not _is_there(folder, path)})
        if missing:
            raise UserError(
                f"{columns['file'].where} names {missing[0]}, which is not in {folder.as_posix()} "
                f"({len(missing):,} such files); paths are relative to the data set's folder"
            )
        return CropTable(
            paths,
            texts(columns["identity"]),
            texts(columns["camera"]) if "camera" in columns else None,
            self.words(columns, len(paths)),
            _times(columns["time"]) if "time" in columns else None,
            _boxes(columns),
        )

    def words(self, columns: Mapping[str, Column], count: int) -> list[str] | None:
        """The split of each row; None where the table does not say."""
        if any(name in columns for name in ROLES):
            sides = rows_of_sides(columns, count)
            query, gallery = sides["query"].tolist(), sides["gallery"].tolist()
            rest = [word.lower() for word in texts(columns["split"])] if "split" in columns else []
            outside = [word.startswith("train") for word in rest] or [True] * count
            names = {(True, True): "both", (True, False): "query", (False, True): "gallery"}
            return [
                names.get((q, g), "train" if learned else "val")
                for q, g, learned in zip(query, gallery, outside, strict=True)
            ]
        return texts(columns["split"]) if "split" in columns else None


def _relative(path: str, where: str) -> str:
    plain = path.replace("\\", "/").removeprefix("./")
    if not plain or plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":":
        raise UserError(
            f"{where} has {path!r}; paths are relative to the data set's folder and stay in it"
        )
    return plain


def _is_there(folder: Path, path: str) -> bool:
    return "://" in path or (folder / path).is_file()


def _boxes(columns: Mapping[str, Column]) -> np.ndarray | None:
    """Boxes (M, 4) x, y, width, height; None where the table has none."""
    if "bbox" in columns:
        return _checked(_listed(columns["bbox"]), columns["bbox"].where)
    for names, corners in ((n, c) for group, c in ((CORNERS, True), (SIZES, False)) for n in group):
        if all(name in columns for name in names):
            numbers = np.stack([real_numbers(columns[name]) for name in names], 1)
            if corners:
                numbers[:, 2:] -= numbers[:, :2]
            return _checked(numbers, columns[names[0]].where)
    return None


def _checked(boxes: np.ndarray, where: str) -> np.ndarray:
    flat = np.flatnonzero(~(boxes[:, 2:] >= 1).all(1) | (boxes[:, :2] + boxes[:, 2:] < 1).any(1))
    if len(flat):
        x, y, width, height = boxes[flat[0]]
        raise UserError(
            f"{where}: row {flat[0] + 1} has a box of {width:g} x {height:g} pixels at {x:g}, {y:g}"
            "; a crop is at least one pixel of the image"
        )
    start = np.maximum(np.trunc(boxes[:, :2]), 0)
    return np.concatenate([start, np.trunc(boxes[:, :2] + boxes[:, 2:]) - start], 1)


def _listed(column: Column) -> np.ndarray:
    """Boxes written as lists, "[x, y, w, h]"."""
    rows = []
    for number, cell in enumerate(column.values, 1):
        try:
            box = json.loads(cell) if isinstance(cell, str) else list(cell)
            values = [float(value) for value in box]
        except WRONG_CONTENT:
            values = []
        if len(values) != 4 or not np.isfinite(values).all():
            raise UserError(f"{column.where}: row {number} has {cell!r:.60}; expected [x, y, w, h]")
        rows.append(values)
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _times(column: Column) -> np.ndarray | None:
    """Seconds: numbers as they are, dates since 1970; None where some rows have none."""
    cells: Sequence[Any] = column.values
    if any(cell is None or str(cell).strip().lower() in ("", "nan", "nat") for cell in cells):
        return None
    try:
        return real_numbers(column)
    except UserError:
        return np.array([_seconds(cell, column.where, row) for row, cell in enumerate(cells, 1)])


def _seconds(cell: Any, where: str, row: int) -> float:
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
    except ValueError:
        raise UserError(
            f"{where}: row {row} has {str(cell)[:40]!r}; expected seconds, or a date such as "
            "2024-05-31 16:20:05"
        ) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
