"""Predictions of mmpose: of its inferencer, a file per image, and of its top-down demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.coco_json import read_json
from reidkit.data.joints import HALF_PIXEL, confidences, numbers
from reidkit.errors import UserError
from reidkit.pose.formats.common import (
    corners_to_box,
    entries,
    files_in,
    image_name,
    number_or_none,
    skeleton,
)
from reidkit.pose.people import LabelledImage, Person

# COCO's 17; Halpe's 26 and COCO-WholeBody's 133, which begin with them
COUNTS = (17, 26, 133)
LIMITS = (-0.1, 10.0)  # heads that classify coordinates give heights that are no probabilities


def read(path: Path | str) -> list[LabelledImage]:
    """The images of a folder of predictions, or of one file.

    The inferencer (``pred_out_dir``) writes ``<image>.json``, a list of people. The demo
    (``--save-predictions``) writes ``results_<image>.json`` with ``instance_info``, for a video a
    list of frames: crops are then matched by their number, ``000012.jpg`` with frame 12.

    Raises:
        UserError: files of another form; joints that are not COCO's; numbers that cannot be.
    """
    root = Path(path)
    return [image for file in files_in(root, ".json") for image in _images(file, root)]


def _images(file: Path, root: Path) -> Iterator[LabelledImage]:
    content = read_json(file)
    name = image_name(file, root, ".json")
    if isinstance(content, dict):
        folder, slash, base = name.rpartition("/")
        name = folder + slash + base.removeprefix("results_")
        content = content.get("instance_info")
    found = entries(content, f"{file}: instance_info or predictions")
    if not any("frame_id" in one for one in found):
        yield LabelledImage(name, _people(found, str(file)), named="stem")
        return
    for one in found:
        frame = one.get("frame_id")
        if type(frame) is not int or frame < 0:
            raise UserError(f"{file}: frame_id is {frame!r}; expected the number of a frame")
        where = f"{file}: frame {frame}"
        people = _people(entries(one.get("instances"), where), where)
        yield LabelledImage(str(frame), people, named="frame")


def _people(found: list[dict[str, Any]], source: str) -> tuple[Person, ...]:
    return tuple(_person(one, f"{source}: person {place + 1}") for place, one in enumerate(found))


def _person(one: dict[str, Any], where: str) -> Person:
    places, scores = one.get("keypoints"), one.get("keypoint_scores")
    places = places if isinstance(places, list) else []
    count = len(places)
    if count not in COUNTS:
        raise UserError(f"{where}: {count} keypoints; expected COCO's 17, as [x, y] each")
    points = [numbers(place, 2, "keypoints", where) for place in places[:17]]
    given = numbers(scores, count, "keypoint_scores", where)[:17]
    third = confidences(given, where, LIMITS)
    box = one.get("bbox")
    while isinstance(box, list) and len(box) == 1:  # the writer wraps it once or twice
        box = box[0]
    return Person(
        skeleton(np.concatenate(points), third, where, HALF_PIXEL),
        where,
        None if box is None else corners_to_box(box, where),
        score=number_or_none(one.get("bbox_score"), "bbox_score", where),
    )
