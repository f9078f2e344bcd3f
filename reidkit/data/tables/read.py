"""Tables of any program as columns of text: CSV as spreadsheets write it, and Parquet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from reidkit.data.tables.arrays import DAMAGE, check_size
from reidkit.errors import UserError
from reidkit.utils.io import read_regular

# byte order marks, the longer first: that of UTF-16 begins that of UTF-32
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
DELIMITERS = ",;\t"  # as spreadsheets of several countries separate cells


def read_table(path: str | Path, errors: str = "strict") -> dict[str, list[Any]]:
    """The columns of a table, in its order.

    A CSV file is UTF-8, or what its byte order mark says; cells are separated by the first of
    comma, semicolon and tab that the head line has, and are text without blanks at their ends.
    Empty lines at the end are no rows.

    Args:
        path: .csv or .parquet.
        errors: of bytes that are no UTF-8: "strict" refuses them, "surrogateescape" keeps them, as
            names of files may need.

    Returns:
        Column -> one cell for each row: text of a CSV file, whatever a Parquet file holds.

    Raises:
        UserError: no such file, another ending, no rows, damage, or two columns of one name.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "labels.csv")
        >>> _ = file.write_text("pid;camid\\n0001;2\\n")
        >>> read_table(file)
        {'pid': ['0001'], 'camid': ['2']}
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path}: tables are read from .csv or .parquet")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix == ".parquet":
        names, columns = _parquet(path)
    else:
        names, columns = _csv(path, errors)
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two columns '{name}'; leave one of them")
    return dict(zip(names, columns, strict=True))


def _csv(path: Path, errors: str) -> tuple[list[str], list[list[str]]]:
    text = _decoded(path, errors)
    head = text.partition("\n")[0]
    delimiter = next((mark for mark in DELIMITERS if mark in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UserError(
            f"{path}, line {reader.line_num}: {error}; cells with {delimiter!r} or quotes in them "
            f"stand between double quotes, and hold at most {csv.field_size_limit():,} letters"
        ) from None
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if len(rows) < 2:
        raise UserError(f"{path}: holds no rows; expected a head line and one line per image")
    width = len(rows[0])
    uneven = next((i for i, row in enumerate(rows) if len(row) != width), None)
    if uneven is not None:
        raise UserError(
            f"{path}, line {uneven + 1}: {len(rows[uneven])} cells, but the head has {width}"
        )
    names = [name.strip() for name in rows[0]]
    return names, [list(map(str.strip, cells)) for cells in zip(*rows[1:], strict=True)]


def _decoded(path: Path, errors: str) -> str:
    try:
        content = read_regular(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    mark, encoding = next((x for x in _MARKS if content.startswith(x[0])), (b"", "utf-8"))
    try:
        text = content.decode(encoding, "strict" if mark else errors)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is no {encoding.upper()}; "
            "save the table as UTF-8 ('CSV UTF-8' of a spreadsheet), or convert it "
            "(iconv -f gbk -t utf-8)"
        ) from None
    if "\0" in text:
        raise UserError(
            f"{path}: holds zero bytes, so it is no text, or UTF-16 without a byte order mark; "
            "save the table as UTF-8"
        )
    return text


def _parquet(path: Path) -> tuple[list[str], list[list[Any]]]:
    parquet = pyarrow(path)[1]
    try:
        with parquet.ParquetFile(path) as file:
            meta = file.metadata
            groups = [meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)]
            check_size(path, max(sum(groups), 8 * meta.num_rows * meta.num_columns))
            table = file.read()
            columns = [column.to_pylist() for column in table.columns]
    except DAMAGE as error:
        raise UserError(f"{path}: damaged, or no Parquet file ({error})") from None
    if not table.num_rows:
        raise UserError(f"{path}: holds no rows; expected one per image")
    return [name.strip() for name in table.column_names], columns


def pyarrow(path: Path) -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Args:
        path: of the file that needs them, for the message.

    Raises:
        UserError: they are not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet needs pyarrow, which is not installed: pip install pyarrow, or use "
            "a .csv file"
        ) from None
    return pyarrow, pyarrow.parquet
