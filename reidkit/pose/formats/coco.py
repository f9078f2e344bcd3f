"""COCO keypoint JSON that lists the crops as images."""

from __future__ import annotations

from pathlib import Path

from reidkit.data.coco_json import CocoPerson, read_people
from reidkit.data.joints import HALF_PIXEL
from reidkit.pose.formats.common import skeleton
from reidkit.pose.people import LabelledImage, Person


def read(path: Path | str) -> list[LabelledImage]:
    """The images of a COCO file with their people; crowds and people without joints are left out.

    Args:
        path: a JSON file; ``file_name`` is the crop's path in the data set. Scores under
            ``keypoint_scores`` are used as confidence, else flags.

    Raises:
        UserError: as ``reidkit.data.coco_json.read_people``.
    """
    content = read_people(path)
    people: dict[str, list[Person]] = {image.name: [] for image in content.images}
    for one in content.people:
        people[one.image.name].append(_person(one, f"{path}: annotation {one.id}"))
    return [LabelledImage(i.name, tuple(people[i.name]), i.size) for i in content.images]


def _person(one: CocoPerson, where: str) -> Person:
    third = one.joints[:, 2] / 2 if one.scores is None else one.scores
    joints = skeleton(one.joints[:, :2].reshape(-1), third, where, HALF_PIXEL)
    return Person(joints, where, one.box, one.area)
