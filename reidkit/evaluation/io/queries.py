"""The per-query table of a result as a file: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.utils.io import atomic_write


def write_queries(path: str | Path, columns: Mapping[str, NDArray]) -> None:
    """Write one row per query; numbers in full precision, nothing where a query is invalid.

    Args:
        path: ends in .csv or .parquet.
        columns: of equal length, as ``RankingResult.per_query``.

    Raises:
        UserError: another suffix, or Parquet without pyarrow.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "queries.csv")
        >>> columns = {"file": np.array(["a.jpg", "b.jpg"]), "AP": np.array([0.5, np.nan])}
        >>> write_queries(file, columns)
        >>> file.read_text().split()
        ['file,AP', 'a.jpg,0.5', 'b.jpg,']
    """
    path = Path(path)
    if path.suffix == ".parquet":
        arrow, parquet = _pyarrow(path)
        table = arrow.table(
            {name: arrow.array(list(v), from_pandas=True) for name, v in columns.items()}
        )
        with atomic_write(path) as file:
            parquet.write_table(table, file)
        return
    if path.suffix != ".csv":
        raise UserError(f"{path}: per-query tables are written as .csv or .parquet")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        writer.writerow(["" if value != value else value for value in row])
    with atomic_write(path, "w") as out:
        out.write(text.getvalue())


def read_queries(path: str | Path, skip: Sequence[str] = ()) -> dict[str, NDArray]:
    """Columns of a table written by `write_queries`; numbers where all entries are numbers.

    Args:
        path: .csv or .parquet.
        skip: columns of a Parquet file that are not wanted.

    Raises:
        UserError: no such file, another suffix, an empty table, or Parquet without pyarrow.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix == ".parquet":
        table = _pyarrow(path)[1].read_table(path)
        wanted = [name for name in table.column_names if name not in skip]
        return {n: _numbers(table.column(n).to_pylist()) for n in wanted}
    if path.suffix != ".csv":
        raise UserError(f"{path}: tables are read from .csv or .parquet")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise UserError(f"{path}: holds no rows; expected a head line and one line per image")
    uneven = next((i for i, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise UserError(
            f"{path}, line {uneven + 1}: {len(rows[uneven])} cells, but the head has {len(rows[0])}"
        )
    return {
        name.strip(): _numbers(list(cells))
        for name, cells in zip(rows[0], zip(*rows[1:], strict=True), strict=True)
    }


def _numbers(cells: list) -> NDArray:
    """Integers or floats where all cells are, empty ones as NaN; else text."""
    for kind in (np.int64, np.float64):
        try:
            if kind is np.int64 and any(isinstance(c, float) for c in cells):
                continue
            blank = (
                [np.nan if c in ("", None) else c for c in cells] if kind is np.float64 else cells
            )
            return np.array([kind(c) for c in blank])
        except (ValueError, TypeError):
            continue
    return np.array(["" if c is None else str(c) for c in cells])


def _pyarrow(path: Path):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet needs pyarrow, which is not installed: pip install pyarrow, or use "
            "a .csv file"
        ) from None
    return pyarrow, pyarrow.parquet
