"""The per-query table of a result as a file: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.data.identities import whole_numbers
from reidkit.data.tables.columns import Column, real_numbers
from reidkit.data.tables.read import pyarrow, read_table
from reidkit.errors import UserError
from reidkit.utils.io import atomic_write, ensure_writable

WHOLE = ("query", "trial", "camera", "n_positives")
_SCORE = re.compile(r"AP|AP_official|INP|first_rank|R\d+")


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
    check_place(path)
    path = Path(path)
    if path.suffix == ".parquet":
        _write_parquet(path, columns)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        writer.writerow(["" if value != value else value for value in row])
    with atomic_write(path) as out:  # names of files may hold bytes that are no UTF-8
        out.write(text.getvalue().encode("utf-8", "surrogateescape"))


def _write_parquet(path: Path, columns: Mapping[str, NDArray]) -> None:
    arrow, parquet = pyarrow(path)
    try:
        table = arrow.table(
            {name: arrow.array(list(v), from_pandas=True) for name, v in columns.items()}
        )
    except UnicodeEncodeError:
        raise UserError(
            f"{path}: a file name is no UTF-8, which Parquet cannot hold; write a .csv"
        ) from None
    with atomic_write(path) as file:
        parquet.write_table(table, file)


def read_queries(path: str | Path) -> dict[str, NDArray]:
    """Columns of a table written by `write_queries`.

    Args:
        path: .csv or .parquet.

    Returns:
        Known columns as numbers, empty cells of scores as NaN; files and all others as text.

    Raises:
        UserError: what `read_table` refuses, or a number that cannot be.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "queries.csv")
        >>> write_queries(file, {"file": np.array(["01", "02"]), "AP": np.array([0.5, np.nan])})
        >>> read_queries(file)
        {'file': array(['01', '02'], dtype='<U2'), 'AP': array([0.5, nan])}
    """
    table = read_table(path, errors="surrogateescape")
    return {
        name: _typed(name, Column(cells, f"{path}: column '{name}'"))
        for name, cells in table.items()
    }


def _typed(name: str, column: Column) -> NDArray:
    """A column as numbers where its name says so, else as text."""
    if name in WHOLE:
        return whole_numbers(column.values, column.where)
    if _SCORE.fullmatch(name):
        empty = np.array([cell is None or cell == "" or cell != cell for cell in column.values])
        limits = (1.0, np.inf) if name == "first_rank" else (0.0, 1.0)
        filled = ["1" if skip else x for x, skip in zip(column.values, empty, strict=True)]
        return np.where(empty, np.nan, real_numbers(Column(filled, column.where), *limits))
    if name == "identity":
        try:
            return whole_numbers(column.values, column.where)
        except UserError:  # names of people
            pass
    return np.array(["" if cell is None else str(cell) for cell in column.values])


def check_place(path: str | Path) -> None:
    """Refuse a place where `write_queries` could not write, before the work whose result it takes.

    Args:
        path: as for `write_queries`.

    Raises:
        UserError: another suffix, Parquet without pyarrow, or what `ensure_writable` refuses.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path}: per-query tables are written as .csv or .parquet")
    if path.suffix == ".parquet":
        pyarrow(path)
    ensure_writable(path)
