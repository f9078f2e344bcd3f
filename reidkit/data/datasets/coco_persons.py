"""Persons cut out of COCO photographs, with the keypoints COCO has for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.coco_json import read_people
from reidkit.data.datasets.reader import Reader
from reidkit.data.joints import HALF_PIXEL
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.registry import DATASETS

# nose, eyes, ears | shoulders | hips | knees | ankles, as COCO joint numbers
GROUPS = ((0, 1, 2, 3, 4), (5, 6), (11, 12), (13, 14), (15, 16))


def joint_groups(keypoints: np.ndarray) -> np.ndarray:
    """How many of head, shoulders, hips, knees and ankles have an annotated joint (flag > 0).

    Shape:
        keypoints (M, 17, 3); returns (M,) int in 0..5.

    Example:
        >>> joints = np.zeros((1, 17, 3)); joints[0, [0, 5, 11, 13], 2] = 2
        >>> joint_groups(joints)
        array([4])
    """
    seen = keypoints[..., 2] > 0
    return np.stack([seen[:, list(group)].any(1) for group in GROUPS]).sum(0)


@DATASETS.register_module()
class CocoPersons(Reader):
    """Upright persons of COCO as one "train" split: a crop is a box in a photograph.

    A crop is the annotation's box, truncated to whole pixels and clipped to the photograph;
    keypoints come along, in crop pixels, with COCO's flags 0, 1, 2. Every person is an identity of
    its own (the annotation's id; its number in the file where ids are text or missing) and the
    camera is 0: for losses that need no identity. Crowds, people without joints and annotations of
    other categories are left out.

    Args:
        data_root: see ``Reader``.
        root: COCO's folder in ``data_root``.
        annotations: keypoint JSON, relative to ``root``.
        images: folder of the photographs, relative to ``root``.
        styled: take crops already cut out and style-transferred instead of the photographs,
            ``<image stem>_<annotation id>.jpg``: the name of the style, for the folder
            ``images/train_<styled>_style``, or a folder with "/" in it. Persons without a crop
            there are left out; keypoints and part labels are those of the originals.
        masks: folder of part-label PNGs (8 classes) named like the crops, such as
            "masks_7_parts/train"; persons without one are left out. None: no part labels.
        min_ratio: a box must be more than this times as high as wide.
        min_joint_groups: at least so many of ``joint_groups`` must be annotated.

    Raises:
        UserError: see ``Reader.prepare``; a JSON that is not COCO keypoints, or holds numbers that
            cannot be; a photograph that is missing.

    Source:
        EANet, arXiv 1812.11369, and its released code: ratio 1.8, 4 of 5 groups. Departure: the
        box is clipped before, not after, keypoints are made relative to it.
    """

    name = "coco_persons"
    title = "COCO persons"
    brings_keypoints = True
    how = "unpack train2017.zip and annotations_trainval2017.zip there"

    def __init__(
        self,
        data_root: str,
        root: str = "coco",
        annotations: str = "annotations/person_keypoints_train2017.json",
        images: str = "train2017",
        styled: str | None = None,
        masks: str | None = None,
        min_ratio: float = 1.8,
        min_joint_groups: int = 4,
    ):
        super().__init__(data_root, root)
        self.annotations, self.images = annotations, images.strip("/")
        self.crops, self.masks = _crops(styled), masks.strip("/") if masks else None
        self.min_ratio, self.min_joint_groups = min_ratio, min_joint_groups
        if styled:  # a label store of its own: these files are named by person
            self.name = f"coco_persons_{styled.strip('/').rpartition('/')[2]}"
        folders = [folder for folder in (self.crops or self.images, self.masks) if folder]
        self.needed = (annotations, *(f"{folder}/" for folder in folders))

    def read(self, folder: Path) -> dict[str, Split]:
        """List the persons that pass the filter; see ``Reader.read``."""
        people = list(self._people(folder / self.annotations))
        own = [person["id"] for person in people]
        whole = all(type(one) is int and 0 <= one < 2**63 for one in own) and len(set(own)) == len(
            own
        )
        rows = []
        for person in people:
            names = self._names(folder, person)
            if names is not None:
                identity = person["id"] if whole else person["number"]
                rows.append((*names, identity, person["box"], person["keypoints"]))
        rows.sort(key=lambda row: (row[0], row[2]))
        paths, labels, ids, boxes, keypoints = zip(*rows, strict=True) if rows else [()] * 5
        split = Split(
            self.name,
            "train",
            folder,
            paths,
            np.array(ids, dtype=np.int64),
            np.zeros(len(rows), dtype=np.int64),
            keypoints=np.array(keypoints, dtype=np.float64).reshape(-1, 17, 3),
            part_label_paths=labels if self.masks else None,
            boxes=None if self.crops else np.array(boxes, dtype=np.float64).reshape(-1, 4),
        )
        return {"train": split}

    def _names(self, folder: Path, person: dict[str, Any]) -> tuple[str, str] | None:
        """Path of the image and of the part label; None when one of them is missing."""
        stem = f"{Path(person['file']).stem}_{person['id']}"
        image = f"{self.crops}/{stem}.jpg" if self.crops else f"{self.images}/{person['file']}"
        label = f"{self.masks}/{stem}.png" if self.masks else ""
        if self.crops and not (folder / image).is_file():
            return None
        if self.masks and not (folder / label).is_file():
            return None
        if not (folder / image).is_file():
            raise UserError(
                f"{(folder / self.annotations).as_posix()}: annotation {person['id']} is in "
                f"{person['file']!r}, and there is no {(folder / image).as_posix()}; {self.how}"
            )
        return image.removeprefix("./"), label

    def _people(self, file: Path) -> Iterator[dict[str, Any]]:
        """Persons that pass the filter: id, file, box in whole pixels, keypoints in crop pixels."""
        for number, person in enumerate(read_people(file).people, 1):
            where = f"{file.as_posix()}: annotation {person.id}"
            if person.box is None:
                raise UserError(f"{where}: no bbox; a person is cut out of its photograph by one")
            if person.box[3] <= self.min_ratio * person.box[2]:
                continue
            if joint_groups(person.joints[None])[0] < self.min_joint_groups:
                continue
            if person.image.size is None:
                raise UserError(
                    f"{where}: the file does not say height and width of {person.image.name!r}, to "
                    "which boxes are clipped; add them to its entry in images"
                )
            box = clip_box(person.box, *person.image.size)
            if box[2] > 0 and box[3] > 0:
                own = person.joints.copy()
                own[own[:, 2] > 0, :2] += HALF_PIXEL - box[:2]
                yield {
                    "id": person.id, "number": number, "file": person.image.name, "box": box,
                    "keypoints": own,
                }  # fmt: skip


def _crops(styled: str | None) -> str | None:
    """Folder of the crops of that style."""
    if not styled:
        return None
    return styled.strip("/") if "/" in styled else f"images/train_{styled}_style"


def clip_box(box: np.ndarray, height: int, width: int) -> np.ndarray:
    """A box truncated to whole pixels, then clipped to the image.

    Shape:
        box (4,): x, y, width, height; returns the same as float64.

    Example:
        >>> clip_box(np.array([-3.5, 2.9, 10.0, 20.2]), height=12, width=30)
        array([ 0.,  2.,  7., 10.])
    """
    x, y, wide, tall = np.trunc(box)
    left, top = np.clip([x, y], 0, [width, height])
    right, bottom = np.clip([x + wide, y + tall], 0, [width, height])
    return np.array([left, top, right - left, bottom - top])
