"""``reidkit evaluate`` on a table of distances, and on features of two sides, in one .npz."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from reidkit.testing.fuzz.case import Case, Door, Place
from reidkit.testing.fuzz.doors.scores import Labelled, difference, labelled
from reidkit.testing.fuzz.doors.tables import evaluated
from reidkit.testing.fuzz.mutate import damaged, put_odd


def _sides(data: Labelled) -> tuple[Labelled, Labelled]:
    query = [i for i, name in enumerate(data.split) if name == "query"]
    gallery = [i for i, name in enumerate(data.split) if name == "gallery"]
    return data.rows(query), data.rows(gallery)


def _arrays(data: Labelled, distances: bool) -> dict[str, Any]:
    query, gallery = _sides(data)
    arrays: dict[str, Any] = {}
    for name, side in (("query", query), ("gallery", gallery)):
        arrays[f"{name}_identity"], arrays[f"{name}_camera"] = side.people, side.cameras
        arrays[f"{name}_file"] = np.array(side.files)
        arrays[f"{name}_features"] = side.features.astype(np.float32)
    if distances:
        unit = [
            s.features / np.linalg.norm(s.features, axis=1, keepdims=True) for s in (query, gallery)
        ]
        arrays["distances"] = (1 - unit[0] @ unit[1].T).astype(np.float32)
        del arrays["query_features"], arrays["gallery_features"]
    return arrays


def _same(rng: Random, arrays: dict[str, Any]) -> str:
    """Another way to write the same."""
    how = rng.choice(("as it is", "queries in another order", "int32 labels", "no file names",
                      "distances times two"))  # fmt: skip
    if how == "queries in another order":
        order = rng.sample(range(len(arrays["query_identity"])), len(arrays["query_identity"]))
        for name in [n for n in arrays if n.startswith("query_") or n == "distances"]:
            arrays[name] = arrays[name][order]
    elif how == "int32 labels":
        for name in ("query_identity", "gallery_identity"):
            arrays[name] = arrays[name].astype(np.int32)
    elif how == "no file names":
        del arrays["query_file"], arrays["gallery_file"]
    elif how == "distances times two" and "distances" in arrays:
        arrays["distances"] = arrays["distances"] * 2
    return how


def _poisoned(rng: Random, arrays: dict[str, Any]) -> str:
    """What cannot be scored."""
    table = "distances" if "distances" in arrays else "gallery_features"
    how = rng.choice(
        ("not finite", "a row too few", "a column too few", "three dimensions", "complex", "text",
         "no gallery labels", "objects", "two names for people")
    )  # fmt: skip
    if how == "not finite":
        arrays[table][rng.randrange(len(arrays[table])), 0] = rng.choice((np.nan, np.inf))
    elif how == "a row too few":
        arrays[table] = arrays[table][1:]
    elif how == "a column too few":
        name = table if table == "distances" else "query_features"
        arrays[name] = arrays[name][:, 1:]
    elif how == "three dimensions":
        arrays[table] = arrays[table][:, :, None, None]
    elif how in ("complex", "text", "objects"):
        kind: Any = {"complex": np.complex64, "text": str, "objects": object}[how]
        arrays[table] = arrays[table].astype(kind)
    elif how == "no gallery labels":
        del arrays["gallery_identity"]
    else:
        arrays["query_pid"] = arrays["query_identity"][::-1]
    return how


def make(rng: Random, place: Place) -> Case:
    """One evaluation of two sides."""
    data = labelled(rng)
    arrays = _arrays(data, distances := rng.random() < 0.6)
    path, kind = place.here / "t.npz", rng.choice(("same", "poison", "damage", "rerank"))
    run = evaluated(place, "t.npz")
    if kind == "same":
        what = _same(rng, arrays)
    elif kind == "poison":
        what = _poisoned(rng, arrays)
    else:
        what = "a table of distances" if distances else "two sides"
    np.savez(path, **arrays)
    if kind == "poison":
        return Case(what, run, refuse=True)
    if kind == "damage":
        what = f"{what}: {_damage(rng, path)}"
    if kind == "rerank":
        name = rng.choice(("KReciprocal", "QueryExpansion", "KReciprocal QueryExpansion"))
        run = evaluated(place, "t.npz", "--rerank", *name.split())
        # distances within a side cannot be told from those between sides
        return Case(f"{what}, --rerank {name}", run, refuse=distances)
    return Case(what, run, lambda r: difference(r, data.score()))


def _damage(rng: Random, path: Any) -> str:
    if rng.random() < 0.15:
        return f"{put_odd(path, rng)} in its place"
    new, how = damaged(path.read_bytes(), rng)
    path.write_bytes(new)
    return how


DOOR = Door("distances", "evaluate: distances, and features of two sides, in .npz", make)
