"""Feature stores: written by ``extract``, read by ``evaluate``."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from random import Random

import numpy as np
import torch

from reidkit.data.split import Trial
from reidkit.evaluation.io.store import TestSet, write_store
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.structures import Embedding
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.scores import difference, labelled
from reidkit.testing.fuzz.doors.tables import evaluated
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, odd_number, put_odd

SEED = 7  # of the data in the valid store


def prepare(folder: Path, cli: Cli) -> None:
    """A store with and one without trials."""
    data = labelled(Random(SEED))
    sides = {}
    for name in ("query", "gallery"):
        side = data.rows([i for i, one in enumerate(data.split) if one == name])
        vectors = torch.from_numpy(side.features.astype(np.float32))[:, None]
        labels = Labels(side.people, side.cameras, list(side.files))
        sides[name] = LabelledEmbeddings(Embedding(vectors), labels, name)
    rows = [np.arange(len(sides[name])) for name in ("query", "gallery")]
    write_store(folder / "plain", TestSet(sides, "market", meta=dict(dataset="toy")))
    trials = [Trial(rows[0], rows[1], name) for name in ("one", "two")]
    write_store(folder / "trials", TestSet(sides, "market", trials, dict(dataset="toy")))


def make(rng: Random, place: Place) -> Case:
    """One evaluation of a store in which something has changed."""
    name = rng.choice(("plain", "plain", "trials"))
    store = place.here / "store"
    shutil.copytree(place.valid / name, store)
    wanted = labelled(Random(SEED)).score()
    how = rng.choice(("as it is", "bytes", "bytes", "meta", "numbers", "file", "names"))
    files = sorted(p for p in store.rglob("*") if p.is_file())
    path = rng.choice(files)
    what = f"{path.relative_to(store)}: {how}"
    if how == "bytes":
        new, what = damaged(path.read_bytes(), rng)
        path.write_bytes(new)
        what = f"{path.relative_to(store)}: {what}"
    elif how == "meta":
        tree, where, done = changed_tree(json.loads((store / "meta.json").read_text()), rng)
        text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
        (store / "meta.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        what = f"meta.json: {'.'.join(map(str, where))} {done}"
    elif how == "numbers":
        what = _numbers(rng, store)
    elif how == "file":
        what = f"{path.relative_to(store)}: {put_odd(path, rng)} in its place"
    elif how == "names":
        listed = store / "query" / "paths.txt"
        if listed.exists():
            lines = listed.read_text().splitlines()
            lines[rng.randrange(len(lines))] = odd_name(rng)
            listed.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
            what = "query/paths.txt: an odd name"
    run = evaluated(place, os.fspath(store.relative_to(place.here)))
    return Case(what, run, lambda r: difference(r, wanted))


def _numbers(rng: Random, store: Path) -> str:
    """Other numbers in one of the arrays, correctly written."""
    path = rng.choice(sorted(store.rglob("*.npy")))
    array = np.load(path).copy()
    how = rng.choice(("an odd number", "rolled by one", "a row less", "another type", "objects"))
    if how == "an odd number":
        value = odd_number(rng)
        with np.errstate(all="ignore"):
            try:
                array.flat[rng.randrange(array.size)] = value
            except (OverflowError, ValueError):
                array.flat[0] += 1
    elif how == "rolled by one":
        array = np.roll(array, 1, axis=0)
    elif how == "a row less":
        array = array[1:]
    elif how == "another type":
        array = array.astype(rng.choice((np.float64, np.int8, np.complex64, np.bool_)))
    else:
        array = array.astype(object)
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    path.write_bytes(data.getvalue())
    return f"{path.relative_to(store)}: {how}"


DOOR = Door("stores", "feature stores, read by evaluate", make, prepare)
