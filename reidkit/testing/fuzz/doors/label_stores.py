"""Label stores: the labels of a split on disk, opened by every run that needs them."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from random import Random

import numpy as np

from reidkit.data.datasets.image_folder import ImageFolder
from reidkit.errors import UserError
from reidkit.pose.store import LabelStore
from reidkit.testing.fuzz.capture import captured
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.crops import coco, write_crops
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, odd_number, put_odd

STORE = Path("part_labels", "mine", "train")


def prepare(folder: Path, cli: Cli) -> None:
    """Crops, and the label store of their keypoints."""
    write_crops(folder / "mine", ("train",))
    (folder / "kp.json").write_text(json.dumps(coco("train")))
    argv = ["generate-part-labels", "ImageFolder", "root=mine", "--data-root", str(folder),
            "--split", "train", "--import", str(folder / "kp.json")]  # fmt: skip
    with captured() as printed:
        status = cli(argv)
    if status:
        raise UserError(f"no label store could be made: {printed.err}")


def make(rng: Random, place: Place) -> Case:
    """Opening a store in which something has changed."""
    store = place.here / STORE
    shutil.copytree(place.valid / "mine", place.here / "mine")
    shutil.copytree(place.valid / STORE, store)
    files = sorted(p for p in store.rglob("*") if p.is_file())
    path = rng.choice(files)
    kind = rng.choice(("as it is", "bytes", "bytes", "meta", "numbers", "numbers", "file", "names"))
    what = f"{path.name}: {kind}"
    if kind == "bytes":
        new, how = damaged(path.read_bytes(), rng)
        path.write_bytes(new)
        what = f"{path.name}: {how}"
    elif kind == "meta":
        tree, where, how = changed_tree(json.loads((store / "meta.json").read_text()), rng)
        (store / "meta.json").write_text(json.dumps(tree))
        what = f"meta.json: {'.'.join(map(str, where))} {how}"
    elif kind == "numbers":
        what = _numbers(rng, store)
    elif kind == "file":
        what = f"{path.name}: {put_odd(path, rng)} in its place"
    elif kind == "names":
        lines = (store / "paths.txt").read_text().splitlines()
        lines[rng.randrange(len(lines))] = odd_name(rng)
        (store / "paths.txt").write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
        what = "paths.txt: an odd name"

    def run() -> LabelStore:
        split = ImageFolder(".", "mine").splits()["train"]
        return LabelStore.open(store, split)

    def check(found: LabelStore) -> str:
        for name in ("keypoints", "image_sizes", "part_maps"):
            if not np.array_equal(
                getattr(found, name), np.load(place.valid / STORE / f"{name}.npy")
            ):
                return f"other {name} than those that were stored"
        return ""

    return Case(what, run, check)


def _numbers(rng: Random, store: Path) -> str:
    """Other numbers in one of the arrays, correctly written."""
    path = rng.choice(sorted(store.rglob("*.npy")))
    array = np.load(path).copy()
    how = rng.choice(("an odd number", "rolled by one", "a row less", "another type", "objects"))
    if how == "an odd number":
        with np.errstate(all="ignore"):
            try:
                array.flat[rng.randrange(array.size)] = odd_number(rng)
            except (OverflowError, ValueError):
                array.flat[0] += 1
    elif how == "rolled by one":
        array = np.roll(array, 1, axis=0)
    elif how == "a row less":
        array = array[1:]
    else:
        array = array.astype(object if how == "objects" else np.float16)
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    path.write_bytes(data.getvalue())
    return f"{path.name}: {how}"


DOOR = Door("label-stores", "label stores, opened for their data", make, prepare)
