"""Persons cut out of COCO photographs, with the keypoints COCO has for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.datasets.reader import Reader
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
    its own (the annotation's id) and the camera is 0: for losses that need no identity.

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
        UserError: see ``Reader.prepare``; a JSON that is not COCO keypoints.

    Source:
        EANet, arXiv 1812.11369, and its released code: ratio 1.8, 4 of 5 groups. Departure: the
        box is clipped before, not after, keypoints are made relative to it.
    """

    name = "coco_persons"
    title = "COCO persons"
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
        people = self._people(folder / self.annotations)
        rows = []
        for person in people:
            names = self._names(folder, person)
            if names is not None:
                rows.append((*names, person["id"], person["box"], person["keypoints"]))
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
        return image.removeprefix("./"), label

    def _people(self, file: Path) -> list[dict[str, Any]]:
        """Persons that pass the filter: id, file, box in whole pixels, keypoints in crop pixels."""
        try:
            content = json.loads(file.read_text())
            images = {image["id"]: image for image in content["images"]}
            marked = [a for a in content["annotations"] if not a.get("iscrowd", 0)]
            joints = np.array([a["keypoints"] for a in marked], dtype=np.float64)
            joints = joints.reshape(len(marked), 17, 3)
            boxes = np.array([a["bbox"] for a in marked], dtype=np.float64).reshape(-1, 4)
            people = [(a["id"], images[a["image_id"]]) for a in marked]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file.as_posix()}: not a COCO keypoint file ({type(error).__name__}: {error}); "
                "expected images and annotations with bbox and 17 keypoints"
            ) from None
        keep = boxes[:, 3] > self.min_ratio * boxes[:, 2]
        keep &= joint_groups(joints) >= self.min_joint_groups
        persons = []
        for row in np.flatnonzero(keep):
            identity, image = people[row]
            box = clip_box(boxes[row], image["height"], image["width"])
            if box[2] > 0 and box[3] > 0:
                own = joints[row].copy()
                own[own[:, 2] > 0, :2] += 0.5 - box[:2]  # COCO counts from pixels' centres
                persons.append(
                    {"id": identity, "file": image["file_name"], "box": box, "keypoints": own}
                )
        return persons


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
