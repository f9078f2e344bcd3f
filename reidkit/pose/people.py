"""People that a file has joints of, brought to the crops of a split: the one road of all formats.

Shape letters: M crops, 17 joints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reidkit.data.joints import refuse_far_joints
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.body import VISIBLE
from reidkit.pose.crops import crop_sizes, image_sizes
from reidkit.pose.matching import match_names, repeated

LEAST_OVERLAP = 0.3  # of a person's box with a crop that is cut out of a photograph
OUTSIDE = 0.25  # share of joints outside their crops that no good labels have


@dataclass(frozen=True)
class Person:
    """One skeleton of a file.

    Attributes:
        joints: (17, 3) COCO joints: x, y in pixels of the file's image from its upper left corner,
            confidence in [0, 1].
        where: file and entry, for messages.
        box: (4,) x, y, width, height in the same pixels, or None.
        area: in square pixels, or None.
        score: how sure the detector is that it is a person, larger is surer, or None.
    """

    joints: np.ndarray
    where: str
    box: np.ndarray | None = None
    area: float | None = None
    score: float | None = None

    def extent(self) -> np.ndarray:
        """The box, or one around the joints that are there: x, y, width, height."""
        if self.box is not None:
            return self.box
        points = self.joints[self.joints[:, 2] > 0, :2]
        if not len(points):
            return np.zeros(4)
        return np.concatenate([points.min(0), points.max(0) - points.min(0)])


@dataclass(frozen=True)
class LabelledImage:
    """What a file has for one image.

    Attributes:
        name: of the image, as the file names it.
        people: none, one or several.
        size: height and width in pixels of the image that the joints were found in, or None.
        named: "file": by its name; "stem": by its name without the ending, since the file is named
            after the image; "frame": by the number that its name is.
        fractions: joints and boxes are fractions of the image's width and height.
    """

    name: str
    people: tuple[Person, ...]
    size: tuple[float, float] | None = None
    named: str = "file"
    fractions: bool = False


@dataclass(frozen=True)
class Fitted:
    """Joints of a split's crops.

    Attributes:
        keypoints: (M, 17, 3) float32: x, y in crop pixels, confidence; zeros where nobody is.
        sizes: (M, 2) int64, height and width of the crops.
        nobody: crops without a person.
        several: crops with more than one, of whom the largest was taken.
    """

    keypoints: np.ndarray
    sizes: np.ndarray
    nobody: int
    several: int


def fit_people(
    images: Sequence[LabelledImage],
    split: Split,
    source: str,
    among: Collection[str] = (),
    allow_missing: bool = False,
) -> Fitted:
    """The joints of every crop of a split, in pixels of the crop.

    Of several people the one with the largest area is the crop's, of those that the detector is at
    least half as sure of as of the surest; in a photograph that crops are cut out of, the one whose
    box overlaps the crop's most.

    Args:
        images: of the file.
        split: whose crops.
        source: the file, for messages.
        among: paths of all crops of the data set; see ``match_names``.
        allow_missing: a crop that the file does not list has nobody in it, instead of being an
            error.

    Raises:
        UserError: crops that the file does not list; names that could be several crops'; images of
            another shape than the crops; joints that are far outside, or outside for many crops.
    """
    rows = _rows(images, split, source, among)
    missing = [path for path, row in zip(split.paths, rows, strict=True) if row is None]
    if missing and not allow_missing:
        raise UserError(
            f"{source}: nothing for {len(missing)} of {len(split)} crops of {split.label_key}, the "
            f"first is {missing[0]!r} (the file has {len(images)} images, such as "
            f"{_example(images)}); --allow-missing takes them as crops with nobody in them"
        )
    sizes, whole = crop_sizes(split), image_sizes(split)
    keypoints = np.zeros((len(split), 17, 3), dtype=np.float64)
    nobody = several = 0
    for crop, row in enumerate(rows):
        box = split.box(crop)
        image = None if row is None else _in_pixels(images[row], whole[crop], split.paths[crop])
        person = None if image is None else _choose(image.people, box)
        if image is None or person is None:
            nobody += 1
            continue
        several += box is None and len(image.people) > 1
        corner = np.zeros(2) if box is None else np.maximum(np.trunc(box[:2]), 0)
        keypoints[crop] = person.joints
        keypoints[crop, :, :2] -= np.where(person.joints[:, 2:] > 0, corner, 0)
        refuse_far_joints(keypoints[crop], sizes[crop], person.where)
    _refuse_other_pixels(keypoints, sizes, source)
    return Fitted(keypoints.astype(np.float32), sizes, nobody, several)


def _example(images: Sequence[LabelledImage]) -> str:
    return repr(images[0].name) if images else "none"


def _rows(
    images: Sequence[LabelledImage], split: Split, source: str, among: Collection[str]
) -> list[int | None]:
    """Place in ``images`` of every crop."""
    key = _KEYS[images[0].named if images else "file"]
    paths = dict.fromkeys((*split.paths, *among))
    keys = {path: key(path) for path in paths}
    if twice := repeated(keys.values()):
        both = [path for path in paths if keys[path] == twice[0]]
        raise UserError(
            f"{source}: entries are named {twice[0]!r}, without the ending of the image, and "
            f"{both[0]!r} and {both[1]!r} are both called so"
        )
    wanted = [keys[path] for path in split.paths]
    return match_names(wanted, [image.name for image in images], keys.values(), source)


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _frame(path: str) -> str:
    """The path with the number that its name is, without the zeros before it."""
    folder, slash, name = _stem(path).rpartition("/")
    return folder + slash + (str(int(name)) if name.isascii() and name.isdigit() else name)


_KEYS: dict[str, Callable[[str], str]] = {"file": str, "stem": _stem, "frame": _frame}


def _in_pixels(image: LabelledImage, size: np.ndarray, path: str) -> LabelledImage:
    """The people in pixels of the image file, whatever size the joints were found at.

    Raises:
        UserError: an image of another shape.
    """
    height, width = (float(n) for n in size)
    if image.fractions:
        scale = np.array([width, height])
    elif image.size is None or tuple(image.size) == (height, width):
        return image
    else:
        h, w = image.size
        # sides are rounded to whole pixels
        if abs(w * height - width * h) > max(width, height) + 0.01 * w * height:
            where = image.people[0].where if image.people else image.name
            raise UserError(
                f"{where}: joints of an image of {w:g}x{h:g} pixels, and {path!r} has {width:g}x"
                f"{height:g}: another shape, so nobody can tell how it was fitted; find the joints "
                "in the crops as they are"
            )
        scale = np.array([width / w, height / h])
    return replace(image, people=tuple(_scaled(person, scale) for person in image.people))


def _scaled(person: Person, scale: np.ndarray) -> Person:
    joints = person.joints.copy()
    joints[:, :2] *= scale
    box = None if person.box is None else person.box * np.tile(scale, 2)
    area = None if person.area is None else person.area * float(scale.prod())
    return replace(person, joints=joints, box=box, area=area)


def _choose(people: Sequence[Person], box: np.ndarray | None) -> Person | None:
    """The crop's person, or None."""
    people = [person for person in people if (person.joints[:, 2] > 0).any()]
    if not people:
        return None
    sure = max(person.score or 0.0 for person in people) / 2
    people = [person for person in people if person.score is None or person.score >= sure]
    if box is not None:
        overlaps = [_overlap(person.extent(), box) for person in people]
        best = int(np.argmax(overlaps))
        return people[best] if overlaps[best] >= LEAST_OVERLAP else None
    if all(person.area is not None for person in people):
        areas = [float(person.area or 0) for person in people]
    else:  # of one kind for all: a mask's area is less than its box's
        areas = [float(person.extent()[2:].prod()) for person in people]
    return people[int(np.argmax(areas))]


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    least = np.maximum(a[:2], b[:2])
    most = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    both = float(np.maximum(most - least, 0).prod())
    return both / max(float(a[2:].prod() + b[2:].prod()) - both, 1e-9)


def _refuse_other_pixels(keypoints: np.ndarray, sizes: np.ndarray, source: str) -> None:
    """Refuse joints that are counted in other pixels than the crops', as a whole.

    Raises:
        UserError: many joints outside their crops; everybody smaller than two pixels.
    """
    seen = keypoints[..., 2] > VISIBLE
    if not seen.any():
        return
    limits = sizes[:, None, ::-1].astype(np.float64)
    points = keypoints[..., :2]
    outside = seen & ((points < -0.1 * limits) | (points > 1.1 * limits)).any(-1)
    share = outside.sum() / seen.sum()
    if share > OUTSIDE:
        raise UserError(
            f"{source}: {share:.0%} of the joints lie outside their crops: they were found in "
            "images of another size, or before the crops were cut; find them in the crops as they "
            "are, or let the file give the images' height and width"
        )
    if float(np.abs(points[seen]).max()) < 2 and sizes.max() > 8:
        raise UserError(
            f"{source}: all joints lie within two pixels: they seem to be fractions of the image; "
            "write them in pixels"
        )
