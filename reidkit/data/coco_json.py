"""COCO keypoint JSON: people annotated in images, read whole and every value looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.joints import JOINTS, confidences, numbers, refuse_far_joints
from reidkit.errors import UserError
from reidkit.utils.io import read_regular

ORDER = np.arange(len(JOINTS))


@dataclass(frozen=True)
class CocoImage:
    """One image that the file lists.

    Attributes:
        name: its ``file_name``.
        size: height and width in pixels; None where the file does not say.
    """

    name: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class CocoPerson:
    """One annotated person with joints; crowds and people without joints are left out.

    Attributes:
        id: of the annotation, whole number or text; None where there is none.
        image: the person is in it.
        joints: (17, 3) x, y, flag: 0 not there, 1 hidden, 2 visible. Whole numbers are centres of
            pixels.
        scores: (17,) confidences where the file has some.
        box: (4,) x, y, width, height, or None.
        area: in square pixels, or None.
    """

    id: int | str | None
    image: CocoImage
    joints: np.ndarray
    scores: np.ndarray | None
    box: np.ndarray | None
    area: float | None


@dataclass(frozen=True)
class CocoPeople:
    """The content of one file.

    Attributes:
        images: in the order of the file.
        people: in the order of the file.
        crowds, empty: annotations left out: crowds (``iscrowd``), and people without joints.
    """

    images: tuple[CocoImage, ...]
    people: tuple[CocoPerson, ...]
    crowds: int
    empty: int


def read_json(path: Path | str) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: no file that can be read, or no JSON.
    """
    try:
        return json.loads(read_regular(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deep"
        raise UserError(f"{path}: not readable as JSON ({reason})") from None


def read_people(path: Path | str) -> CocoPeople:
    """Read a COCO keypoint file.

    Joints are brought into COCO's order where a category names them in another one. Annotations
    of other categories than people are left out.

    Args:
        path: a JSON file with ``images`` and ``annotations``.

    Raises:
        UserError: no such file; an entry that is not COCO's; images of one id or one name; a
            number that is missing, NaN or cannot be; joints that are not COCO's. The text names
            file, entry and value.
    """
    return people_of(read_json(path), str(path))


def people_of(content: Any, source: str) -> CocoPeople:
    """As ``read_people``, of JSON that is read already.

    Args:
        content: of the file.
        source: its name, for messages.
    """
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"{source}: no COCO annotations: a list {key!r} is missing")
    images = _images(content["images"], source)
    orders = _orders(content.get("categories", []), source)
    people, crowds, empty = [], 0, 0
    for place, annotation in enumerate(content["annotations"]):
        if not isinstance(annotation, dict):
            raise UserError(f"{source}: annotations[{place}] is no dict of COCO's form")
        where = f"{source}: annotation {annotation.get('id', f'number {place + 1}')}"
        order = _order_of(annotation, orders, where)
        if order is None:
            continue
        if annotation.get("iscrowd"):
            crowds += 1
        elif (person := _person(annotation, images, order, where)) is None:
            empty += 1
        else:
            people.append(person)
    return CocoPeople(tuple(images.values()), tuple(people), crowds, empty)


def _images(entries: Sequence[Any], source: str) -> dict[int | str, CocoImage]:
    images: dict[int | str, CocoImage] = {}
    names: set[str] = set()
    for place, entry in enumerate(entries):
        where = f"{source}: images[{place}]"
        if not isinstance(entry, dict):
            raise UserError(f"{where} is no dict with id and file_name")
        number, name = entry.get("id"), entry.get("file_name")
        if not isinstance(number, (int, str)) or isinstance(number, bool):
            raise UserError(f"{where}: id is {number!r}; expected a whole number or text")
        if not isinstance(name, str) or not name:
            raise UserError(f"{where}: file_name is {name!r}; expected the image's path")
        if number in images:
            raise UserError(
                f"{where}: id {number!r} is that of {images[number].name!r} already, so nobody can "
                f"tell whose people are whose; give {name!r} an id of its own"
            )
        if name in names:
            raise UserError(f"{where}: file_name {name!r} is listed twice; list every image once")
        names.add(name)
        images[number] = CocoImage(name, _size(entry, where))
    return images


def _size(entry: dict[str, Any], where: str) -> tuple[int, int] | None:
    given = [entry.get(key) for key in ("height", "width")]
    if given == [None, None]:
        return None
    height, width = numbers(given, 2, "height, width", where)
    if min(height, width) < 1 or height % 1 or width % 1:
        raise UserError(
            f"{where}: height {height:g}, width {width:g}; expected whole numbers of pixels from 1"
        )
    return int(height), int(width)


def _orders(entries: Any, source: str) -> dict[Any, np.ndarray | None]:
    """Category -> where COCO's joints stand in its keypoints; None: no category of people."""
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise UserError(f"{source}: categories: expected a list of dicts with id and name")
    orders: dict[Any, np.ndarray | None] = {}
    for entry in entries:
        named, number = entry.get("keypoints"), entry.get("id")
        person = str(entry.get("name", "person")).lower() in ("person", "people", "pedestrian")
        if type(number) not in (int, str):
            raise UserError(f"{source}: categories: id is {number!r}; expected a number or text")
        if named is None:
            orders[number] = ORDER if person else None
        elif isinstance(named, list) and sorted(map(str, named)) == sorted(JOINTS):
            orders[number] = np.array([named.index(joint) for joint in JOINTS])
        elif person:
            raise UserError(f"{source}: category {number!r}: {_not_cocos(named)}")
        else:
            orders[number] = None
    return orders


def _not_cocos(named: Any) -> str:
    """Why names of joints are not COCO's."""
    strange = [one for one in named if one not in JOINTS] if isinstance(named, list) else [named]
    what = f"keypoints names {strange[0]!r}" if strange else f"keypoints names {len(named)} joints"
    return f"{what}; expected COCO's 17, in any order: {', '.join(JOINTS)}"


def _order_of(
    annotation: dict[str, Any], orders: dict[Any, np.ndarray | None], where: str
) -> np.ndarray | None:
    number = annotation.get("category_id")
    if not orders or (number is None and len(orders) == 1):
        return next(iter(orders.values()), ORDER)
    if type(number) not in (int, str) or number not in orders:
        known = ", ".join(map(repr, orders))
        raise UserError(f"{where}: category_id is {number!r}; the file has categories {known}")
    return orders[number]


def _person(
    annotation: dict[str, Any], images: dict[int | str, CocoImage], order: np.ndarray, where: str
) -> CocoPerson | None:
    """The person, or None without joints."""
    number = annotation.get("image_id")
    if type(number) not in (int, str) or number not in images:
        raise UserError(f"{where}: image_id is {number!r}, which no entry of images has")
    if not annotation.get("keypoints") or annotation.get("num_keypoints", 1) == 0:
        return None
    image, own = images[number], annotation.get("id")
    values = numbers(annotation["keypoints"], 51, "keypoints", where).reshape(17, 3)[order]
    flags, scores = _flags(values[:, 2], where)
    joints = np.concatenate([values[:, :2], flags[:, None]], axis=1)
    if annotation.get("keypoint_scores") is not None:
        given = numbers(annotation["keypoint_scores"], 17, "keypoint_scores", where)[order]
        scores = confidences(given, where)
    elif not flags.any():
        return None
    if image.size is not None:
        refuse_far_joints(joints, image.size, where)
    box, area = annotation.get("bbox"), annotation.get("area")
    if box is not None:
        box = numbers(box, 4, "bbox", where)
    if box is not None and box[2:].min() < 0:
        raise UserError(f"{where}: bbox is {box.tolist()}; width and height are 0 or more")
    area = None if area is None else float(numbers([area], 1, "area", where)[0])
    name = own if type(own) in (int, str) else None
    return CocoPerson(name, image, joints, scores, box, area)


def _flags(third: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """COCO's flags and confidences of what stands behind x and y: the one or the other."""
    if np.isin(third, (0, 1, 2)).all():
        return third, None
    scores = confidences(third, where)
    return np.where(scores > 0, 2.0, 0.0), scores
