"""Parquet files that hold images as bytes, or as the structs of Hugging Face's data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

from reidkit.data.sources.records import Record, record
from reidkit.data.tables.columns import meanings
from reidkit.errors import UserError

LABELS = ("identity", "camera", "time", "file")
COLUMNS = ("image", "jpg", "png", "bytes")  # looked for in this order


def rows(file: IO[bytes], address: str, column: str | None, step: int) -> Iterator[Record]:
    """The images of a Parquet file, with the labels that stand beside them.

    Args:
        file: opened, seekable.
        address: of the file, for names and messages.
        column: of the images; None: ``image``, ``jpg``, ``png``, ``bytes``, or the only one that
            holds bytes. Labels are the columns that ``reidkit evaluate`` knows
            (``reidkit.data.tables.columns``): identity, camera, time, and file, the image's name.
        step: rows read at a time.

    Raises:
        UserError: no such column, or several that might be meant.
        pyarrow.ArrowException, OSError: damage.
    """
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(file)
    schema = table.schema_arrow
    holds = [field.name for field in schema if _is_image(field.type)]
    if not holds:  # a table of labels, say, beside images
        yield Record(address, problem="no column of it holds bytes")
        return
    chosen = _column(holds, address, column)
    known = meanings({name: name for name in schema.names if name != chosen}, address)
    wanted = {label: known[label].values for label in LABELS if label in known}
    number = 0
    for batch in table.iter_batches(step, columns=[chosen, *wanted.values()]):
        cells = batch.to_pydict()
        for row, value in enumerate(cells[chosen]):
            labels = {label: cells[name][row] for label, name in wanted.items()}
            name, data = f"{address}#{number}", value
            if isinstance(value, dict):  # {"bytes": ..., "path": ...}
                name, data = value.get("path") or name, value.get("bytes")
            yield record(str(labels.get("file") or name), data, labels)
            number += 1


def _column(holds: Sequence[str], address: str, column: str | None) -> str:
    """The column of the images, among those that hold bytes.

    Raises:
        UserError: it is not there, or several might be meant.
    """
    named: Sequence[str] = [name for name in COLUMNS if name in holds] or holds
    if column is None and (len(holds) == 1 or named is not holds):
        return named[0]
    if column in holds:
        return str(column)
    several = "several columns hold bytes"
    why = several if column is None else f"no column {column!r} that holds bytes"
    raise UserError(f"{address}: {why}; --column names one of: {', '.join(holds)}")


def _is_image(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _is_image(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))
