"""Labels made elsewhere: COCO JSON, published pickles, part-label PNGs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from reidkit.plugin.extend import extensions
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors import coco_labels
from reidkit.testing.fuzz.doors.coco_labels import SPLIT, compared, imported
from reidkit.testing.fuzz.doors.crops import coco, size_of, truth, write_crops
from reidkit.testing.fuzz.hostile import hostile_pickle
from reidkit.testing.fuzz.mutate import changed_tree, damaged, put_odd


def prepare(folder: Path, cli: Cli) -> None:
    """A folder of crops."""
    write_crops(folder / "mine", (SPLIT,))


def _case_pickle(rng: Random, place: Place) -> Case:
    content: dict[str, Any] = {}
    for path, points in truth(SPLIT).items():
        size = size_of(int(path.split("/")[1]) - 1)
        content[path] = dict(kpt=points.astype(np.float32), im_h_w=np.array(size))
    form = next(name for name in sorted(extensions("label_formats")) if "pickle" in name)
    run = imported(place, "--import", "kp.pkl", "--import-format", form, "--no-part-maps")
    kind = rng.choice(("same", "poison", "poison", "bytes", "tree", "hostile", "hostile"))
    wanted: dict[str, np.ndarray] | None = truth(SPLIT)
    data, refuse = b"", kind in ("poison", "hostile")
    name = rng.choice(sorted(content))
    what = kind
    if kind == "hostile":
        data, what = hostile_pickle(rng, place.mark)
    elif kind == "tree":
        content, where, how = changed_tree(content, rng)
        what, wanted = f"{where} {how}", None
    elif kind == "poison":
        what = rng.choice(
            ("not finite", "no size", "missing", "base names", "confidence", "far away")
        )
        if what == "missing":
            del content[name]
        elif what == "base names":
            content = {k.rsplit("/", 1)[-1]: v for k, v in content.items()}
        elif what == "no size":
            content[name]["im_h_w"] = np.array(rng.choice(((0, 0), (-64, 32), (32, 640), (64,))))
        else:
            value = {"not finite": rng.choice((np.nan, np.inf)), "confidence": 50, "far away": 1e7}
            column = 2 if what == "confidence" else 0
            content[name]["kpt"][rng.randrange(17), column] = value[what]
    data = data or pickle.dumps(content, protocol=rng.choice((2, 4)))
    if kind == "bytes":
        data, what = damaged(data, rng)
        wanted = None  # a pickle has no check sum
    (place.here / "kp.pkl").write_bytes(data)
    return Case(f"pickle: {what}", run, compared(wanted), refuse)


def _case_pngs(rng: Random, place: Place) -> Case:
    """Part labels: every crop's PNG is filled with one class of its own."""
    (place.here / "kp.json").write_text(json.dumps(coco(SPLIT)))
    wanted = {}
    for number, path in enumerate(truth(SPLIT)):
        file = place.here / "pngs" / Path(path).with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        height, width = size_of(int(path.split("/")[1]) - 1)
        cv2.imwrite(str(file), np.full((height, width), number % 8, np.uint8))
        wanted[path] = np.full((48, 16), number % 8)
    files = sorted((place.here / "pngs").rglob("*.png"))
    one, refuse = rng.choice(files), True
    what = rng.choice(
        ("as it is", "class 8", "missing", "three channels", "base names", "bytes", "file")
    )
    if what == "class 8":
        cv2.imwrite(str(one), np.full((64, 32), rng.choice((8, 255)), np.uint8))
    elif what == "missing":
        one.unlink()
    elif what == "three channels":
        cv2.imwrite(str(one), np.dstack([np.full((64, 32), c, np.uint8) for c in (1, 2, 3)]))
    elif what == "base names":
        for file in files:
            os.replace(file, place.here / "pngs" / file.name)
    elif what == "bytes":
        data, what = damaged(one.read_bytes(), rng)
        one.write_bytes(data)
        refuse = False
    elif what == "file":
        what = f"{put_odd(one, rng)} in place of one"
    else:
        refuse = False
    run = imported(place, "--import", "kp.json", "--part-labels", "pngs")
    return Case(f"PNGs: {what}", run, compared(wanted), refuse)


def make(rng: Random, place: Place) -> Case:
    """One import of labels."""
    shutil.copytree(place.valid / "mine", place.here / "mine")
    case = rng.choice((coco_labels.case, coco_labels.case, _case_pickle, _case_pngs))(rng, place)
    return case


DOOR = Door("labels", "labels made elsewhere: COCO JSON, pickles, PNGs", make, prepare,
            writes=("part_labels",), share=1.5)  # fmt: skip
