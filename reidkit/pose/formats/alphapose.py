"""AlphaPose's results: one list of people, each with the file name of its image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reidkit.data.coco_json import read_json
from reidkit.data.joints import HALF_PIXEL, confidences, numbers
from reidkit.errors import UserError
from reidkit.pose.formats.common import entries, number_or_none, skeleton
from reidkit.pose.people import LabelledImage, Person

# COCO's 17; Halpe's 26 and 136, which begin with them
LENGTHS = (51, 78, 408)
LIMITS = (-0.1, 6.0)  # AlphaPose's documentation: from 0 to 6 for COCO


def read(path: Path | str) -> list[LabelledImage]:
    """The images of ``alphapose-results.json``; one without people does not occur in it.

    Raises:
        UserError: no list of people with ``image_id`` and ``keypoints``; numbers that cannot be.
    """
    people: dict[str, list[Person]] = {}
    for place, one in enumerate(entries(read_json(path), str(path))):
        name, where = one.get("image_id"), f"{path}: person {place + 1}"
        if not isinstance(name, str) or not name:
            raise UserError(
                f"{where}: image_id is {name!r}; expected the image's file name, as AlphaPose "
                "writes it without --eval"
            )
        where += f" ({name})"
        given = one.get("keypoints")
        count = len(given) if isinstance(given, list) and len(given) in LENGTHS else 51
        values = numbers(given, count, "keypoints", where).reshape(-1, 3)[:17]
        third = confidences(values[:, 2], where, LIMITS)
        joints = skeleton(values[:, :2].reshape(-1), third, where, HALF_PIXEL)
        box = one.get("box")
        box = None if box is None else np.asarray(numbers(box, 4, "box", where))
        score = number_or_none(one.get("score"), "score", where)
        people.setdefault(name, []).append(Person(joints, where, box, score=score))
    return [LabelledImage(name, tuple(found)) for name, found in people.items()]
