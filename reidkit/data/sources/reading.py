"""The images of a shard as bytes, with what is known of each; nothing in a shard is executed.

Libraries: fsspec opens and fetches, pyarrow reads Parquet, the standard library's tarfile reads
tars. The package webdataset decodes members by their endings, pickles among them, and
``ray.data.read_webdataset`` ends with an error at one, and at a damaged image: neither is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from reidkit.data.decode import read_bytes
from reidkit.data.sources.listing import Shard, file_system
from reidkit.data.sources.parquet import rows
from reidkit.data.sources.records import Record, record
from reidkit.data.sources.tars import samples
from reidkit.errors import UserError


def read_shard(shard: Shard, column: str | None = None, step: int = 64) -> Iterator[list[Record]]:
    """The images of a shard, up to ``step`` of them at a time.

    What cannot be read is a `Record` with its ``problem``. Damage within a Parquet file or tar
    ends its reading: the last record has the file's address for a name.

    Args:
        shard: of ``list_shards``.
        column: of the images in Parquet files; None: see ``reidkit.data.sources.parquet.rows``.
        step: images at a time, >= 1.

    Raises:
        UserError: a Parquet file without the column, or with several that might be meant.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from reidkit.data.sources.listing import list_shards
        >>> file = Path(tempfile.mkdtemp(), "a.jpg")
        >>> _ = file.write_bytes(b"not checked here")
        >>> [[one.data for one in batch] for batch in read_shard(list_shards([str(file)])[0])]
        [[b'not checked here']]
    """
    fs, _ = file_system(shard.source)
    if shard.kind == "files":
        for start in range(0, len(shard.paths), step):
            yield _files(fs, shard, shard.paths[start : start + step])
        return
    records = _members(fs, shard, column, step)
    while batch := list(islice(records, step)):
        yield batch


def address(fs: Any, shard: Shard, path: str) -> str:
    """What a file of a shard is called: below the source as typed, or by its whole address."""
    if shard.root:
        return shard.source.rstrip("/") + "/" + path[len(shard.root) :].lstrip("/")
    return path if _is_local(fs) else fs.unstrip_protocol(path)


def _members(fs: Any, shard: Shard, column: str | None, step: int) -> Iterator[Record]:
    name = address(fs, shard, shard.paths[0])
    count = 0
    try:
        with fs.open(shard.paths[0], "rb") as file:
            inside = samples(file, name) if shard.kind == "tar" else rows(file, name, column, step)
            for one in inside:
                yield one
                count += 1
    except UserError:
        raise
    except Exception as error:  # clients of object stores raise exceptions of their own
        reason = str(error) or type(error).__name__
        yield Record(name, problem=f"damaged or not reached after {count} images ({reason})",
                     again=True)  # fmt: skip


def _files(fs: Any, shard: Shard, paths: tuple[str, ...]) -> list[Record]:
    """Image files: local ones one by one, those of a store side by side."""
    if _is_local(fs):
        found = {path: _local(path) for path in paths}
    else:
        found = fs.cat(list(paths), recursive=False, on_error="return")
    records = []
    for path in paths:
        name, data = address(fs, shard, path), found.get(path, FileNotFoundError("not found"))
        one = record(name, data, {})
        if isinstance(data, Exception):
            reason = str(data) or type(data).__name__
            one = Record(one.name, problem=reason, again=True)
        records.append(one)
    return records


def _local(path: str) -> bytes | UserError:
    try:
        return read_bytes(path)
    except UserError as error:
        return UserError(str(error).removeprefix(f"{path}: ").partition(";")[0])


def _is_local(fs: Any) -> bool:
    return "file" in ([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)
