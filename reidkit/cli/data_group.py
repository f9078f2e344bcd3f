"""The data group of a reader, ``configs/_base_/data/<name>.py``: read, or written for own data."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidkit.config.files import configs_folder
from reidkit.config.groups import composed
from reidkit.data.datasets.patterns import NamePattern
from reidkit.data.datasets.reader import Reader
from reidkit.errors import UserError
from reidkit.registry import DATASETS
from reidkit.utils.io import atomic_write

GROUP = """# {title}: {counts}.
_base_ = ["_real.py"]
data = dict(
    domains=dict(source=dict({options})),
    tests={tests},
)
"""


def group_reader(name: str, options: Mapping[str, Any]) -> tuple[Reader, dict[str, Any]]:
    """The reader of a data group's source, and its options.

    Args:
        name: "mine" for ``configs/_base_/data/mine.py``; sets may be joined by "+".
        options: in place of those that the group gives.

    Raises:
        UserError: no such group.
    """
    source = dict(composed(_folder() / "group.py", name)["data"]["domains"]["source"]) | dict(
        options
    )
    reader = DATASETS.build(dict(source), dict(data_root="data", settings=None))
    return reader, {k: v for k, v in source.items() if k not in ("type", "root")}


def described(reader: Reader, options: Mapping[str, Any]) -> str:
    """The name of the reader, and the options that it was given or has found."""
    given = ", ".join(f"{name}={value!r}" for name, value in _found(reader, options).items())
    return type(reader).__name__ + (f"({given})" if given else "")


def write_group(name: str, reader: Reader, options: Mapping[str, Any]) -> Path:
    """Write the data group file of a reader; an older one is kept.

    Args:
        name: of the group.
        reader: of the data, which has been read.
        options: that it was given.

    Returns:
        The file.

    Raises:
        UserError: a name that is none, or a group of this name.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or "_to_" in name:
        raise UserError(f"--write {name}: a data group is named by letters, digits and _")
    file = _folder() / "data" / f"{name}.py"
    if file.exists():
        raise UserError(f"{file}: exists already; choose another name, or remove the file")
    splits = reader.splits()
    place = Path(os.path.realpath(reader.data_root / reader.root))
    data = Path("data").resolve()
    root = place.relative_to(data).as_posix() if place.is_relative_to(data) else place.as_posix()
    listed = dict(type=type(reader).__name__, root=root, **_found(reader, options))
    text = GROUP.format(
        title=place.name,
        counts=", ".join(f"{len(split):,} {split_name}" for split_name, split in splits.items()),
        options=", ".join(f"{key}={_literal(value)}" for key, value in listed.items()),
        tests='["source"]' if {"query", "gallery"} <= set(splits) else "[]",
    )
    with atomic_write(file, "w") as out:
        out.write(text)
    return file


def _found(reader: Reader, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options given, and patterns that were found by the doctor."""
    found = {}
    for name in ("identity", "camera"):
        pattern = getattr(reader, name, None)
        if isinstance(pattern, NamePattern):
            found[name] = pattern.text
    return {**found, **options}


def _literal(value: Any) -> str:
    if isinstance(value, str) and "\\" in value and '"' not in value and value[-1] != "\\":
        return f'r"{value}"'
    return f'"{value}"' if isinstance(value, str) and '"' not in value else repr(value)


def _folder() -> Path:
    """``configs/_base_`` of the project that one stands in, else the shipped one."""
    own = Path("configs/_base_")
    if (own / "data").is_dir():
        return own
    shipped = configs_folder()
    if shipped is None:
        raise UserError("no folder configs/_base_/data here; run this in the project's folder")
    return shipped / "_base_"
