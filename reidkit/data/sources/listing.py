"""What a source holds: shards, each of which is read and embedded as a whole.

A shard is one Parquet file, one tar, or a number of image files. Addresses are fsspec's, so that a
folder, ``s3://``, ``gs://``, ``https://`` and ``memory://`` are listed by the same calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from reidkit.errors import UserError

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
PARQUET = (".parquet",)
TARS = (".tar", ".tar.gz", ".tgz")
SIZE = 4096  # image files of one shard
_GLOB = "*?["
# what an object store calls the state of a file; the first that it gives
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "created")


@dataclass(frozen=True)
class Shard:
    """A part of a source.

    Attributes:
        kind: "files", "parquet" or "tar".
        source: as it was typed; fsspec finds the file system by it.
        root: of the paths, which names of images have as ``source``; empty: names are addresses.
        paths: of image files, or of the one Parquet file or tar.
        key: 16 hexadecimal digits of paths, sizes and states: a shard that has changed has another.
    """

    kind: str
    source: str
    root: str
    paths: tuple[str, ...]
    key: str

    def to_json(self) -> str:
        """As text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The shard of ``to_json``."""
        values = json.loads(text)
        return cls(**dict(values, paths=tuple(values["paths"])))


def list_shards(sources: Sequence[str], size: int = SIZE) -> list[Shard]:
    """The shards of all sources, in the order of sources and paths.

    Args:
        sources: each a folder, a pattern (``s3://bucket/2026-*/*.tar``) or one file.
        size: image files of one shard, >= 1.

    Raises:
        UserError: a source that cannot be listed or holds nothing that is read; a file of
            two sources.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.jpg", "b.jpg", "c.jpg", "d.tar", "notes.txt"):
        ...     (folder / name).touch()
        >>> [(shard.kind, len(shard.paths)) for shard in list_shards([str(folder)], 2)]
        [('files', 2), ('files', 1), ('tar', 1)]
    """
    shards = [shard for source in sources for shard in _shards(source, size)]
    seen: set[str] = set()
    for shard in shards:
        fs, _ = file_system(shard.source)
        for path in shard.paths:
            name = fs.unstrip_protocol(path)
            if name in seen:
                raise UserError(f"{shard.source}: {name} is in another source, too; name it once")
            seen.add(name)
    return shards


def file_system(source: str) -> tuple[Any, str]:
    """The file system of an address, and the address as a path in it.

    Raises:
        UserError: an address of no known kind, or a package that is missing for it.
    """
    import fsspec

    try:
        return fsspec.url_to_fs(source)
    except ImportError as error:
        raise UserError(f"{source}: {error}") from None
    except ValueError as error:
        raise UserError(f"{source}: no address that fsspec knows ({error})") from None


def _shards(source: str, size: int) -> Iterator[Shard]:
    fs, path = file_system(source)
    try:
        root, infos = _listed(fs, path)
    except UserError:
        raise
    except Exception as error:  # clients of object stores raise exceptions of their own
        reason = str(error) or type(error).__name__
        raise UserError(
            f"{source}: cannot be listed ({reason}); look at the address, and whether this "
            "account may read it"
        ) from None
    names = sorted(infos)
    images = [name for name in names if _ends(name, IMAGES)]
    for start in range(0, len(images), size):
        yield _shard("files", source, root, images[start : start + size], infos)
    others = [name for name in names if _ends(name, PARQUET + TARS)]
    for name in others:
        kind = "parquet" if _ends(name, PARQUET) else "tar"
        yield _shard(kind, source, root, [name], infos)
    if not images and not others:
        raise UserError(
            f"{source}: holds nothing that is read: images ({', '.join(IMAGES)}), .parquet, "
            f"or tars ({', '.join(TARS)})"
        )


def _listed(fs: Any, path: str) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """The root of a source's names, and what the store says of each file below it."""
    if fs.isfile(path):
        return "", {path: fs.info(path)}
    if fs.isdir(path):
        return path, fs.find(path, detail=True)
    found: dict[str, Mapping[str, Any]] = {}
    if any(mark in path for mark in _GLOB):
        for name, info in fs.glob(path, detail=True).items():
            below = fs.find(name, detail=True) if info["type"] == "directory" else {name: info}
            found.update(below)
    return "", found


def _shard(
    kind: str, source: str, root: str, paths: Sequence[str], infos: Mapping[str, Mapping[str, Any]]
) -> Shard:
    states = [(name, infos[name].get("size"), _version(infos[name])) for name in paths]
    digest = hashlib.sha256(json.dumps([kind, states]).encode()).hexdigest()[:16]
    return Shard(kind, source, root, tuple(paths), digest)


def _version(info: Mapping[str, Any]) -> str:
    return str(next((info[name] for name in _VERSIONS if info.get(name)), ""))


def _ends(path: str, endings: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(endings) and not name.startswith(".")
