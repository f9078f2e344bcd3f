"""Tracked objects of a COCO JSON as crops: annotations with a track or identity number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.datasets.crop_table import CropTable
from reidkit.data.datasets.mot import clip_boxes
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.registry import DATASETS
from reidkit.utils.io import read_regular

IDENTITY = ("identity", "identity_id", "track_id", "instance_id", "person_id")
CAMERA = ("camera", "camera_id")
MOST = 2 << 30  # bytes of a JSON file


@DATASETS.register_module()
class CocoTracks(Reader):
    """Crops of a COCO JSON whose annotations carry ``track_id`` (or ``identity``, ``instance_id``).

    A crop is a box in an image, cut out when it is read. Crowds are passed over. Images may carry
    ``camera_id``; those of videos carry ``video_id``, and a track then counts within its video
    unless ``shared=True`` says that one number is one identity in all of them, which makes videos
    cameras. A share of the identities is held out.

    Args:
        data_root: the folder in which all data sets lie.
        root: the data set's own folder in it.
        annotations: the JSON, relative to ``root``.
        images: folder of the images, relative to ``root``.
        name: how results call it; default: the last part of ``root``.
        identity: key of the identity in an annotation; default: the first that there is of those
            above.
        shared: whether one number is one identity in all videos.
        categories: names that are kept; none: all.
        min_height: of a crop, in pixels.
        holdout: share of the identities for testing.
        seed: of the division.

    Raises:
        ValueError: ``holdout`` outside (0, 1).
        UserError: see ``Reader.prepare``; no COCO JSON, or one without identities; an image that
            is not there; no boxes left.

    Source:
        The COCO data format, and MMTracking's extension of it to videos (``video_id``,
        ``instance_id``).
    """

    title = "COCO tracks"
    how = "put the JSON and the folder of images there"

    def __init__(
        self,
        data_root: str,
        root: str,
        annotations: str = "annotations.json",
        images: str = "images",
        name: str | None = None,
        identity: str | None = None,
        shared: bool = False,
        categories: Sequence[str] = (),
        min_height: float = 48,
        holdout: float = 0.5,
        seed: int = 0,
    ):
        super().__init__(data_root, root)
        if not 0 < holdout < 1:
            raise ValueError(f"holdout must be between 0 and 1, got {holdout}")
        self.name = name or Path(root).name
        self.title = f"COCO tracks {self.name}"
        self.annotations, self.images = annotations, images.strip("/")
        self.needed = (annotations, f"{self.images}/")
        self.identity, self.shared, self.categories = identity, shared, tuple(categories)
        self.min_height, self.holdout, self.seed = min_height, holdout, seed

    def candidates(self) -> list[Path]:
        """Only the folder itself; see ``Reader.candidates``."""
        return [self.data_root / self.root]

    def read(self, folder: Path) -> dict[str, Split]:
        """Read the JSON; see ``Reader.read``."""
        file = folder / self.annotations
        try:
            rows = self._rows(folder, json.loads(read_regular(file, MOST)))
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}") from None
        except WRONG_CONTENT as error:
            raise UserError(
                f"{file}: not a COCO file with tracks ({type(error).__name__}: {error}); expected "
                "images with id and file_name, annotations with image_id, bbox and track_id"
            ) from None
        if not rows:
            raise UserError(
                f"{file}: no box is left with min_height={self.min_height:g} and categories="
                f"{list(self.categories)}; change these options"
            )
        paths, people, cameras, videos, boxes = zip(*rows, strict=True)
        known = all(camera is not None for camera in cameras)
        several = self.shared and all(video is not None for video in videos)
        seen = cameras if known else videos if several else None
        self.protocol = "single-camera" if seen is None else "market"
        table = CropTable(
            paths,
            people,
            None if seen is None else [str(camera) for camera in seen],
            boxes=np.array(boxes, dtype=np.float64),
        )
        splits, notes = table.divided(
            self.name, folder, self.title, holdout=self.holdout, seed=self.seed
        )
        self.notes += notes
        return splits

    def _rows(self, folder: Path, content: Mapping[str, Any]) -> list[tuple]:
        """Path, identity, camera, video and box of every annotation that is kept."""
        images = {image["id"]: image for image in content["images"]}
        names = {one["id"]: one["name"] for one in content.get("categories", ())}
        rows, places = [], dict[str, str]()
        for one in content["annotations"]:
            if one.get("iscrowd") or (
                self.categories and names.get(one["category_id"]) not in self.categories
            ):
                continue
            image = images[one["image_id"]]
            path = places.get(image["file_name"]) or self._path(folder, image["file_name"])
            places[image["file_name"]] = path
            video = image.get("video_id")
            identity = f"{self._identity(one)}"
            inner = video is not None and not self.shared
            camera = next((image[key] for key in CAMERA if key in image), None)
            box = self._box(one, image)
            if box is not None:
                rows.append(
                    (path, f"{video}/{identity}" if inner else identity, camera, video, box)
                )
        return rows

    def _identity(self, annotation: Mapping[str, Any]) -> Any:
        keys = [self.identity] if self.identity else IDENTITY
        value = next((annotation[key] for key in keys if key in annotation), None)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError(
                f"annotation {annotation.get('id')!r} has {value!r} for {' or '.join(keys)}"
            )
        return value

    def _box(self, annotation: Mapping[str, Any], image: Mapping[str, Any]) -> np.ndarray | None:
        """The box clipped to the image; None for one that is too small."""
        box = np.array([float(value) for value in annotation["bbox"]])
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ValueError(f"annotation {annotation.get('id')!r} has bbox {annotation['bbox']!r}")
        clipped = clip_boxes(box, int(image["height"]), int(image["width"]))[0]
        return clipped if clipped[3] >= max(1.0, self.min_height) and clipped[2] >= 1 else None

    def _path(self, folder: Path, name: str) -> str:
        path = f"{self.images}/{name}"
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise UserError(f"{self.title}: image {name!r} lies outside {self.images}/")
        if not (folder / path).is_file():
            raise UserError(f"{self.title}: {path} is named by {self.annotations}, but not there")
        return path
