"""OpenPose's ``--write_json``: a file per image, BODY_25 or COCO's 18 joints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.coco_json import read_json
from reidkit.data.joints import HALF_PIXEL, confidences, numbers
from reidkit.errors import UserError
from reidkit.pose.formats.common import entries, files_in, image_name, skeleton
from reidkit.pose.people import LabelledImage, Person

ENDING = "_keypoints.json"
# where COCO's joints stand in OpenPose's: nose, eyes, ears, shoulders, elbows, wrists, hips, ...
BODY_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
COCO_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
ORDERS = {75: BODY_25, 54: COCO_18}


def read(path: Path | str) -> list[LabelledImage]:
    """The images of a folder of ``<image>_keypoints.json``, or of one such file.

    Joints are counted in pixels of the image (``--keypoint_scale 0``, OpenPose's default).

    Raises:
        UserError: files of another form; another model than BODY_25 and COCO; numbers that cannot
            be.
    """
    root = Path(path)
    return [
        LabelledImage(image_name(file, root, ENDING), _people(file), named="stem")
        for file in files_in(root, ENDING)
    ]


def _people(file: Path) -> tuple[Person, ...]:
    content = read_json(file)
    found = content.get("people") if isinstance(content, dict) else None
    return tuple(
        _person(one, f"{file}: person {place + 1}")
        for place, one in enumerate(entries(found, f"{file}: people"))
    )


def _person(one: dict[str, Any], where: str) -> Person:
    given = one.get("pose_keypoints_2d")
    count = len(given) if isinstance(given, list) else 0
    if count not in ORDERS:
        raise UserError(
            f"{where}: pose_keypoints_2d has {count} numbers; expected 75 (BODY_25) or 54 (COCO)"
        )
    values = numbers(given, count, "pose_keypoints_2d", where).reshape(-1, 3)
    values = values[np.array(ORDERS[count])]
    third = confidences(values[:, 2], where)
    return Person(skeleton(values[:, :2].reshape(-1), third, where, HALF_PIXEL), where)
