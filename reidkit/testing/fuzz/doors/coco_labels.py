"""Keypoints as COCO JSON, imported for a folder of crops."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from reidkit.testing.fuzz.case import Case, Place
from reidkit.testing.fuzz.doors.crops import coco, truth
from reidkit.testing.fuzz.mutate import changed_tree, damaged, put_odd

SPLIT = "train"


def imported(place: Place, *options: str) -> Callable[[], dict[str, np.ndarray]]:
    """Opens the door: import labels, and read them back, path -> keypoints or part map."""

    def run() -> dict[str, np.ndarray]:
        place.command(
            "generate-part-labels", "ImageFolder", "root=mine", "--data-root", ".",
            "--split", SPLIT, *options,
        )  # fmt: skip
        store = next((place.here / "part_labels").rglob("meta.json")).parent
        paths = (store / "paths.txt").read_text().splitlines()
        name = "part_maps" if "--part-labels" in options else "keypoints"
        return dict(zip(paths, np.load(store / f"{name}.npy"), strict=True))

    return run


def compared(wanted: dict[str, np.ndarray] | None) -> Callable[[dict], str | None]:
    """A check that every crop has its own labels."""

    def check(found: dict[str, np.ndarray]) -> str | None:
        if wanted is None:
            return None
        for path, points in wanted.items():
            if path not in found:
                return f"{path} has no labels"
            own = found[path][..., : points.shape[-1]]
            if not np.allclose(own, points, atol=1e-2):
                differ = ~np.isclose(own, points, atol=1e-2)
                return f"{path} has other labels: {own[differ]} for {points[differ]}"
        return ""

    return check


def _same_coco(rng: Random, content: dict[str, Any]) -> str:
    """The same keypoints, written otherwise."""
    images, annotations = content["images"], content["annotations"]
    how = rng.choice(
        ("as it is", "shuffled", "twice the size", "a crowd over a crop", "an empty annotation",
         "no area", "ids as text", "a second, smaller person", "further images", "no scores",
         "Windows separators", "another order of joints")
    )  # fmt: skip
    if how == "shuffled":
        rng.shuffle(images)
        rng.shuffle(annotations)
    elif how == "twice the size":
        for image in images:
            image["height"], image["width"] = 2 * image["height"], 2 * image["width"]
        for one in annotations:
            flat = np.array(one["keypoints"]).reshape(17, 3)
            flat[:, :2] = (flat[:, :2] + 0.5) * 2 - 0.5
            one["keypoints"] = flat.ravel().tolist()
            one["bbox"], one["area"] = [2 * v for v in one["bbox"]], 4 * one["area"]
    elif how in ("a crowd over a crop", "an empty annotation", "a second, smaller person"):
        annotations.append(_second(how, rng.choice(annotations)))
    elif how == "no area":
        for one in annotations:
            one.pop("area"), one.pop("iscrowd")
    elif how == "ids as text":
        for one in images:
            one["id"] = f"i{one['id']}"
        for one in annotations:
            one["image_id"] = f"i{one['image_id']}"
    elif how == "further images":
        images.append(dict(id=500, file_name="other/x.jpg", height=5, width=5))
    elif how == "no scores":
        for one in annotations:
            one.pop("keypoint_scores")
    elif how == "another order of joints":  # named so by the category
        content["categories"][0]["keypoints"].reverse()
        for one in annotations:
            one["keypoints"] = np.array(one["keypoints"]).reshape(17, 3)[::-1].ravel().tolist()
            one["keypoint_scores"].reverse()
    elif how == "Windows separators":
        for one in images:
            one["file_name"] = one["file_name"].replace("/", "\\")
    return how


def _second(how: str, annotation: dict[str, Any]) -> dict[str, Any]:
    """Another annotation of the same crop, which is not the person's."""
    other = dict(copy.deepcopy(annotation), id=999)
    if how == "a second, smaller person":
        return dict(other, area=1.0, bbox=[0, 0, 1, 1], keypoints=[5.0, 5.0, 2] * 17)
    if how == "a crowd over a crop":
        return dict(other, iscrowd=1, area=1e5, keypoints=[0.0] * 51)
    return dict(other, num_keypoints=0, area=1e5, keypoints=[0.0] * 51)


def _poisoned_coco(rng: Random, content: dict[str, Any]) -> str:
    """What cannot be taken for the keypoints of these crops."""
    images, annotations = content["images"], content["annotations"]
    one = rng.choice(annotations)
    how = rng.choice(
        ("a joint that cannot be", "a crop missing", "base names", "no size", "one id for all",
         "joints that are not COCO's", "a score that cannot be", "16 joints", "no file name",
         "no image id", "another shape of picture")
    )  # fmt: skip
    if how == "a joint that cannot be":
        value = rng.choice((float("nan"), float("inf"), None, "x", 1e300, -1e6, [1], True))
        one["keypoints"][3 * rng.randrange(17) + rng.randrange(2)] = value
    elif how == "a crop missing":
        images.remove(rng.choice(images))
    elif how == "base names":
        for image in images:
            image["file_name"] = image["file_name"].rsplit("/", 1)[-1]
    elif how == "no size":
        image = rng.choice(images)
        image["height"] = rng.choice((0, -64, float("nan"), None, "64x"))
    elif how == "one id for all":
        for image in images:
            image["id"] = 1
    elif how == "joints that are not COCO's":
        content["categories"][0]["keypoints"][5] = "tail"
    elif how == "a score that cannot be":
        one["keypoint_scores"][rng.randrange(17)] = rng.choice((50, -1, float("nan"), None, "x"))
    elif how == "16 joints":
        one["keypoints"] = one["keypoints"][:48]
    elif how == "no file name":
        del rng.choice(images)["file_name"]
    elif how == "no image id":
        del one["image_id"]
    else:
        image = rng.choice(images)
        image["width"] = 3 * image["width"]
    return how


def _says(text: bytes) -> dict[str, np.ndarray] | None:
    """What a damaged file says, where a plain reading of it makes sense; else None."""
    try:
        content = json.loads(text)
        sound = coco(SPLIT)
        if [i["file_name"] for i in content["images"]] != [i["file_name"] for i in sound["images"]]:
            return None
        if content["categories"] != sound["categories"]:
            return None
        for image, other in zip(content["images"], sound["images"], strict=True):
            if image != other:
                return None
        found = {}
        for one, other in zip(content["annotations"], sound["annotations"], strict=True):
            if {k: one[k] for k in other if k[:8] != "keypoint"} != {
                k: other[k] for k in other if k[:8] != "keypoint"
            } or set(one) != set(other):
                return None
            points = np.array(one["keypoints"], np.float64).reshape(17, 3)
            if (points[:, 2] != 2).any():
                return None
            points[:, :2] += 0.5
            points[:, 2] = np.clip(one["keypoint_scores"], 0, 1)  # networks overshoot a little
            points[points[:, 2] == 0] = 0  # a joint that is not there has no place
            found[content["images"][one["image_id"] - 1]["file_name"]] = points
        return found
    except Exception:
        return None


def case(rng: Random, place: Place) -> Case:
    """One import of a COCO JSON."""
    content, path = coco(SPLIT), place.here / "kp.json"
    run = imported(place, "--import", "kp.json", "--no-part-maps")
    kind = rng.choice(("same", "same", "poison", "poison", "tree", "bytes", "file"))
    if kind == "same":
        what = _same_coco(rng, content)
        path.write_text(json.dumps(content))
        wanted = truth(SPLIT)
        if what == "no scores":  # flags take their place
            wanted = {path: points[:, :2] for path, points in wanted.items()}
        return Case(f"COCO: {what}", run, compared(wanted))
    if kind == "poison":
        what = _poisoned_coco(rng, content)
        path.write_text(json.dumps(content))
        return Case(f"COCO: {what}", run, refuse=True)
    if kind == "tree":
        content, where, how = changed_tree(content, rng)
        text = json.dumps(content).encode()
        what = f"{'.'.join(map(str, where))} {how}"
    else:
        text, what = damaged(json.dumps(content).encode(), rng)
    path.write_bytes(text)
    if kind == "file":
        what = f"{put_odd(path, rng)} in place of the file"
    return Case(f"COCO: {what}", run, compared(_says(text) if kind != "file" else None))
