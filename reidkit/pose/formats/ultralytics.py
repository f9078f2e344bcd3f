"""Results of Ultralytics' pose models: ``to_json`` of every image, or ``save_txt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.coco_json import read_json
from reidkit.data.joints import OVERSHOOT, numbers
from reidkit.errors import UserError
from reidkit.pose.formats.common import (
    corners_to_box,
    entries,
    files_in,
    flags_or_confidences,
    image_name,
    number_or_none,
    skeleton,
)
from reidkit.pose.people import LabelledImage, Person
from reidkit.utils.io import read_regular

# class, box and joints, x y each or with a third number; a score and a track may follow
WITH_THIRD, WITHOUT = 5 + 51, 5 + 34


def read_txt(path: Path | str) -> list[LabelledImage]:
    """The images of a folder of ``<image>.txt``, or of one such file.

    A line is a person: class, box (centre, width, height) and joints as fractions of the image,
    with flags 0, 1, 2 or confidences, and perhaps a score and the number of a track. Class 0 is a
    person; other classes are left out.

    Raises:
        UserError: lines of another length, or numbers that cannot be.
    """
    root = Path(path)
    return [
        LabelledImage(image_name(file, root, ".txt"), _lines(file), None, "stem", True)
        for file in files_in(root, ".txt")
    ]


def _lines(file: Path) -> tuple[Person, ...]:
    try:
        lines = read_regular(file).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from None
    people = []
    for number, line in enumerate(lines, 1):
        where, words = f"{file}: line {number}", line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise UserError(f"{where}: {line[:60]!r} is no line of numbers") from None
        if values[0] == 0:
            people.append(_of_line(values, where))
    return tuple(people)


def _of_line(values: list[float], where: str) -> Person:
    if WITH_THIRD <= len(values) <= WITH_THIRD + 2:
        joints = numbers(values[5:WITH_THIRD], 51, "keypoints", where).reshape(17, 3)
        third = flags_or_confidences(joints[:, 2], where, OVERSHOOT)
        score = values[WITH_THIRD] if len(values) > WITH_THIRD else None
    elif len(values) == WITHOUT:
        joints = numbers(values[5:], 34, "keypoints", where).reshape(17, 2)
        third, score = np.ones(17), None
    else:
        raise UserError(
            f"{where}: {len(values)} numbers; expected class, box and 17 joints: {WITH_THIRD} (x, "
            f"y, confidence each) or {WITHOUT} (x, y)"
        )
    x, y, w, h = numbers(values[1:5], 4, "box", where)
    box = np.array([x - w / 2, y - h / 2, w, h])
    score = number_or_none(score, "score", where)
    return Person(skeleton(joints[:, :2].reshape(-1), third, where), where, box, score=score)


def read(path: Path | str) -> list[LabelledImage]:
    """The images of a folder of ``<image>.json``, each what ``Results.to_json()`` gives.

    One file may also hold a dict of them by the image's path. Joints may be fractions of the image
    (``normalize=True``): then all numbers of all files are.

    Raises:
        UserError: files of another form; numbers that cannot be.
    """
    root = Path(path)
    images: list[LabelledImage] = []
    for file in files_in(root, ".json"):
        content = read_json(file)
        if isinstance(content, dict):
            images += [
                LabelledImage(name, _people(found, f"{file}: {name}"))
                for name, found in content.items()
            ]
        else:
            name = image_name(file, root, ".json")
            images.append(LabelledImage(name, _people(content, str(file)), named="stem"))
    largest = [one.joints[:, :2].max() for image in images for one in image.people]
    fractions = bool(largest) and max(largest) <= 1
    return [LabelledImage(i.name, i.people, None, i.named, fractions) for i in images]


def _people(content: Any, source: str) -> tuple[Person, ...]:
    found = entries(content, source)
    return tuple(
        _person(one, f"{source}: person {place + 1}")
        for place, one in enumerate(found)
        if one.get("name", "person") == "person"
    )


def _person(one: dict[str, Any], where: str) -> Person:
    joints, box = one.get("keypoints"), one.get("box")
    if not isinstance(joints, dict):
        raise UserError(
            f"{where}: keypoints is {str(joints)[:40]}; expected lists x, y and visible, as a pose "
            "model gives them"
        )
    x, y = (numbers(joints.get(axis), 17, f"keypoints.{axis}", where) for axis in "xy")
    seen = joints.get("visible")
    third = np.ones(17) if seen is None else numbers(seen, 17, "keypoints.visible", where)
    third = flags_or_confidences(third, where, OVERSHOOT)
    if isinstance(box, dict):
        box = corners_to_box([box.get(key) for key in ("x1", "y1", "x2", "y2")], where)
    return Person(
        skeleton(np.stack([x, y], 1).reshape(-1), third, where),
        where,
        box if isinstance(box, np.ndarray) else None,
        score=number_or_none(one.get("confidence"), "confidence", where),
    )
