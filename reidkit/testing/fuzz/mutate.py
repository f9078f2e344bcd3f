"""Seeded damage to bytes, values, trees, names and files, as strangers and accidents do it.

Every function takes the ``random.Random`` that it draws from, so that a seed repeats the damage.
"""

from __future__ import annotations

import copy
import math
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

NAMES = (
    "räum é 日本", "with space", "-dash", "a,b", 'quo"te', "line\nbreak", "\u2028", "²", "٣",
    "9" * 23, "x" * 240, "1_11", "%s", "{x}", "a.b.c", "~", "nul", "CON", "#", "a\\b",
    "c1_\udce9",
)  # fmt: skip


def flipped(data: bytes, rng: Random) -> bytes:
    """One to eight bits turned over."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(data: bytes, rng: Random) -> bytes:
    """The beginning, perhaps nothing of it."""
    return data[: rng.choice((0, 1, rng.randrange(len(data) + 1), max(0, len(data) - 1)))]


def spliced(data: bytes, rng: Random) -> bytes:
    """A stretch taken out, doubled, or overwritten with other bytes."""
    if not data:
        return b"x"
    at, length = rng.randrange(len(data)), rng.randrange(1, 65)
    part = data[at : at + length]
    new = rng.choice((b"", part + part, rng.randbytes(len(part)), b"\xff" * len(part)))
    return data[:at] + new + data[at + length :]


DAMAGES = {"bits turned over": flipped, "cut short": cut, "a stretch changed": spliced}


def damaged(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Other bytes than these, and in words what was done.

    Example:
        >>> damaged(b"abc", Random(1))[0] != b"abc"
        True
    """
    while True:
        how = rng.choice(sorted(DAMAGES))
        if (new := DAMAGES[how](data, rng)) != data:
            return new, how


def odd_number(rng: Random) -> Any:
    """A number that few expect."""
    return rng.choice(
        (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 2**64 - 1, 10**23, 10**400, 1e300, -1e300, 1e-300,
         0.5, -0.0, math.nan, math.inf, -math.inf)
    )  # fmt: skip


def odd_value(rng: Random) -> Any:
    """A value that few expect: of another type, or beyond what its type should hold."""
    return rng.choice(
        (None, True, False, "", "x", "nan", "1e5", "../../escaped", "/escaped", "a\0b", "ü\u2028",
         "x" * 5000, [], {}, [[]], [None], {"": None}, {"type": 5}, [1, "a"], odd_number(rng),
         odd_number(rng), odd_number(rng), odd_name(rng))
    )  # fmt: skip


def odd_name(rng: Random) -> str:
    """A file name that a system allows and few expect."""
    return rng.choice(NAMES)


def paths_of(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values of a tree of dicts and lists, itself left out.

    Example:
        >>> paths_of({"a": [1, {"b": 2}]})
        [('a',), ('a', 0), ('a', 1), ('a', 1, 'b')]
    """
    if isinstance(tree, dict):
        items = list(tree.items())
    elif isinstance(tree, list):
        items = list(enumerate(tree))
    else:
        return []
    return [one for key, value in items for one in ((*path, key), *paths_of(value, (*path, key)))]


def changed_tree(tree: Any, rng: Random) -> tuple[Any, tuple[Any, ...], str]:
    """A copy of a tree with one value changed; its place, and what was done."""
    new = copy.deepcopy(tree)
    places = paths_of(new)
    if not places or rng.random() < 0.05:
        return odd_value(rng), (), "replaced whole"
    path = rng.choice(places)
    parent = new
    for key in path[:-1]:
        parent = parent[key]
    key, how = path[-1], rng.choice(("removed", "replaced", "replaced", "doubled"))
    if how == "removed":
        del parent[key]
    elif how == "doubled" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        how, parent[key] = "replaced", _unlike(parent[key], rng)
    return new, path, how


def _unlike(value: Any, rng: Random) -> Any:
    """Another value, often one that looks like it."""
    near: list[Any] = [odd_value(rng)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        near += [str(value), [value], -value, odd_number(rng), float(value)]
    if isinstance(value, str):
        near += [value.upper(), f"{value}/..", f" {value}", [value], odd_name(rng)]
    if isinstance(value, (list, dict)):
        near += [len(value), {"0": value}, [value]]
    return rng.choice(near)


PLACES = ("a pipe", "a folder", "a link to nowhere", "a link to itself", "endless", "empty")


def put_odd(path: Path, rng: Random) -> str:
    """Something else than the file that stands at a path; what it is now."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    kind = rng.choice(PLACES)
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        to = {"a link to nowhere": "nowhere", "a link to itself": path.name, "endless": "/dev/zero"}
        path.symlink_to(to[kind])
    return kind
