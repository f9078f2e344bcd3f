"""``reidkit evaluate`` on .npz features with a table of labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from reidkit.testing.fuzz.case import Case, Command, Door, Place
from reidkit.testing.fuzz.doors.scores import (
    Labelled,
    columns_of,
    difference,
    labelled,
    relabelled,
    write_csv,
    write_npz,
)
from reidkit.testing.fuzz.mutate import damaged, odd_name, odd_number, put_odd

ALIASES = {
    "identity": ("pid", "person", "ID"),
    "camera": ("camid", "cam"),
    "file": ("path", "name"),
}


def evaluated(place: Place, *argv: Any) -> Callable[[], dict]:
    """Opens the door: evaluate, and read the metrics back."""

    def run() -> dict:
        place.command("evaluate", *argv, "--out", "out/result.json")
        return json.loads((place.out / "result.json").read_text())["metrics"]

    return run


def _same(rng: Random, place: Place, data: Labelled) -> str:
    """The same data written in another way, which must score the same."""
    columns = columns_of(data)
    how = rng.choice(
        ("as it is", "rows in another order", "CRLF", "byte order mark", "a further column",
         "other names of columns", "whole numbers as floats", "float64", "scaled features",
         "float16", "cameras renamed", "people renamed", "labels by file name", "text for people")
    )  # fmt: skip
    if how == "rows in another order":
        data = data.rows(rng.sample(range(len(data)), len(data)))
        columns = columns_of(data)
    elif how == "other names of columns":
        columns = {rng.choice(ALIASES.get(k, (k,))): v for k, v in columns.items()}
    elif how == "a further column":
        columns["comment"] = [f"{odd_name(rng)}" for _ in data.files]
    elif how == "whole numbers as floats":
        columns["identity"] = [f"{p}.0" for p in columns["identity"]]
    elif how == "scaled features":
        scale = 2.0 ** rng.randrange(-60, 60)
        data = replace(data, features=data.features * scale)
    elif how == "cameras renamed":
        columns["camera"] = [{0: 7, 1: 200, 2: 3}[c] for c in columns["camera"]]
    elif how == "people renamed":
        columns["identity"] = [p * 1000 + 3 for p in columns["identity"]]
    elif how == "text for people":
        columns["identity"] = [f"p_{p}" for p in columns["identity"]]
    more = {"paths": np.array(data.files)} if how == "labels by file name" else {}
    if how == "labels by file name":
        order = rng.sample(range(len(data)), len(data))
        columns = {name: [values[i] for i in order] for name, values in columns.items()}
    write_csv(
        place.here / "l.csv", columns, "\r\n" if how == "CRLF" else "\n", how.startswith("byte")
    )
    if how in ("float64", "float16"):
        data.features[:] = data.features.astype(how)  # half precision is other features
        np.savez(place.here / "f.npz", features=data.features.astype(how))
    else:
        write_npz(place.here / "f.npz", data, **more)
    return how


def _poisoned(rng: Random, place: Place, data: Labelled) -> str:
    """Data that can have no score."""
    columns, features = columns_of(data), data.features.copy()
    row = rng.randrange(len(data))
    more: dict[str, Any] = {}
    how = rng.choice(
        ("not finite", "two columns of one meaning", "a column twice", "a column missing",
         "a row too few", "a row too many", "unknown split", "no query", "objects",
         "whole numbers for features", "no rows", "visibility out of range", "names that differ",
         "names twice", "a camera that is no number", "no dimensions")
    )  # fmt: skip
    if how == "not finite":
        features[row, 0] = rng.choice((np.nan, np.inf, -np.inf))
    elif how == "two columns of one meaning":
        columns["pid"] = columns["identity"][::-1]
    elif how == "a column missing":
        del columns[rng.choice(("identity", "camera", "split"))]
    elif how in ("a row too few", "a row too many"):
        keep = slice(1, None) if how == "a row too few" else slice(None)
        columns = {k: v[keep] if keep.start else [*v, v[-1]] for k, v in columns.items()}
    elif how == "unknown split":
        columns["split"][row] = rng.choice(("probe", "2", "x" * 999))
    elif how == "no query":
        columns["split"] = ["gallery"] * len(data)
    elif how == "no rows":
        columns = {k: [] for k in columns}
    elif how == "visibility out of range":
        more["visibility"] = np.ones((len(data), 1), np.float32)
        more["visibility"][row] = rng.choice((2, -1, np.nan, np.inf))
    elif how in ("names that differ", "names twice"):
        names = np.array(data.files)
        names[row] = "other.jpg" if how == "names that differ" else names[row - 1]
        more["paths"] = names
    elif how == "a camera that is no number":
        columns["camera"][row] = rng.choice(("", "x", "1.5", "nan", "٣.٥", "1e400"))
    write_csv(place.here / "l.csv", columns)
    if how == "a column twice":
        lines = (place.here / "l.csv").read_text().splitlines()
        twice = [f"{line},{line.split(',')[0]}" for line in lines]
        (place.here / "l.csv").write_text("\n".join(twice))
    kind: Any = {"objects": object, "whole numbers for features": np.int64}.get(how, np.float32)
    shape = features[:, :0] if how == "no dimensions" else features
    np.savez(place.here / "f.npz", features=shape.astype(kind), **more)
    return how


def _table_of(path: Path, data: Labelled) -> Labelled | None:
    """What a damaged table says, where a plain reading of it makes sense; else None."""
    try:
        text = path.read_bytes().decode("ascii")
        head, *lines = text.rstrip("\n").split("\n")
        rows = [line.split(",") for line in lines]
        plain = not set(text) & set("\"_+ \r'") - {"_"}
        if head != "identity,camera,split,file" or len(rows) != len(data) or not plain:
            return None
        people, cameras = (np.array([int(row[i]) for row in rows]) for i in (0, 1))
        canonical = all(row[i] == str(int(row[i])) for row in rows for i in (0, 1))
        known = all(row[2] in ("query", "gallery") for row in rows)
        if not canonical or not known or (people < -1).any() or (cameras < 0).any():
            return None
        return Labelled(
            data.features, people, cameras, [row[2] for row in rows], [r[3] for r in rows]
        )
    except (ValueError, IndexError, OverflowError):
        return None


def _damaged_file(rng: Random, place: Place, data: Labelled) -> tuple[str, Labelled | None]:
    """One of the files with other bytes, or something else in its place."""
    name = rng.choice(("l.csv", "f.npz"))
    path = place.here / name
    if rng.random() < 0.15:
        return f"{name}: {put_odd(path, rng)} in its place", data
    if rng.random() < 0.1 and name == "l.csv":
        coding = rng.choice(("utf-16", "utf-32", "latin-1", "gbk"))
        text = path.read_text().replace(".jpg", "é.jpg")
        path.write_bytes(text.encode(coding, "replace"))
        return f"{name} in {coding}", None
    new, how = damaged(path.read_bytes(), rng)
    path.write_bytes(new)
    return f"{name}: {how}", (_table_of(path, data) if name == "l.csv" else data)


OPTIONS = (
    "evaluation.topk", "evaluation.bootstrap", "evaluation.block_mb", "evaluation.far_targets",
    "evaluation.protocol", "model.matcher", "evaluation.rerank", "evaluation", "~model.matcher",
    "evaluation.seed", "evaluation.nope", "+evaluation.rerank.x",
)  # fmt: skip


def _odd_cell(rng: Random, place: Place, data: Labelled) -> str:
    """One cell of the table that few expect: its own person, or refused."""
    columns = columns_of(data)
    column, row = rng.choice(("identity", "camera")), rng.randrange(len(data))
    value = rng.choice(
        (odd_number(rng), odd_name(rng), "1_1", "+3", "03", " 3", "3 ", "³", "0x3", "")
    )
    columns[column][row] = value
    write_csv(place.here / "l.csv", columns)
    return f"{column} {str(value)[:20]!r}"


def _zero_vector(rng: Random, place: Place, data: Labelled) -> Case:
    """A vector without a direction, which the report must mention where it is taken."""
    features = data.features.copy()
    features[rng.randrange(len(data))] = 0
    write_npz(place.here / "f.npz", replace(data, features=features))

    def check(found: Command) -> str | None:
        return None if "zero" in found.out + found.err else "nothing is said of it"

    return Case("a zero vector", lambda: place.command("evaluate", "f.npz", "l.csv"), check)


def make(rng: Random, place: Place) -> Case:
    """One evaluation of a features file and a table."""
    data = labelled(rng)
    kind = rng.choice(("same", "same", "relabelled", "poison", "poison", "damage", "damage",
                       "option", "cell", "out", "zero"))  # fmt: skip
    write_npz(place.here / "f.npz", data)
    write_csv(place.here / "l.csv", columns_of(data))
    run = evaluated(place, "f.npz", "l.csv")
    if kind == "same":
        return Case(_same(rng, place, data), run, lambda r: difference(r, data.score()))
    if kind == "relabelled":
        other = relabelled(data, rng, marked := rng.random() < 0.5)
        write_csv(place.here / "l.csv", columns_of(other))
        marks = ("--junk=-1", "--distractor=0") if marked else ()
        run = evaluated(place, "f.npz", "l.csv", *marks)
        what = f"other labels {' '.join(marks)}"
        return Case(what, run, lambda r: difference(r, other.score(marked)))
    if kind == "poison":
        return Case(_poisoned(rng, place, data), run, refuse=True)
    if kind == "damage":
        what, says = _damaged_file(rng, place, data)
        return Case(what, run, lambda r: None if says is None else difference(r, says.score()))
    if kind == "cell":
        return Case(_odd_cell(rng, place, data), run, None)
    if kind == "out":
        target = rng.choice((".", "../beside/x.json", "out/a/b/c.json", "/proc/x", "", "f.npz/x"))
        target = "out/" + odd_name(rng) if target == "../beside/x.json" else target
        argv = ("evaluate", "f.npz", "l.csv", rng.choice(("--out", "--queries")), target)
        return Case(f"{argv[-2]} {target[:30]!r}", lambda: place.command(*argv), None)
    if kind == "zero":
        return _zero_vector(rng, place, data)
    key = rng.choice(OPTIONS)
    value = rng.choice((odd_number(rng), "(1,5)", "[]", "x", "dict()", "None", "KReciprocal"))
    text = key if key.startswith("~") else f"{key}={value}"
    return Case(f"option {text[:40]}", evaluated(place, "f.npz", "l.csv", text), _bounded)


def _bounded(found: dict) -> str | None:
    """Options may change the numbers, but not beyond what a share can be."""
    wrong = [name for name, value in found.items() if not 0 <= value <= 1]
    return f"{wrong[0]} is {found[wrong[0]]}" if wrong else None


DOOR = Door("tables", "evaluate: .npz features and .csv labels", make, share=2.0)
