"""Output of torchvision's Keypoint R-CNN, kept by image: JSON, arrays or tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.coco_json import read_json
from reidkit.data.joints import numbers
from reidkit.errors import UserError
from reidkit.pose.formats.common import corners_to_box, number_or_none, skeleton
from reidkit.pose.people import LabelledImage, Person
from reidkit.utils.io import read_regular

KEYS = ("boxes", "keypoints", "scores", "keypoints_scores")
# a joint's score is the height of its heat before the softmax; one of height 0 is given the
# confidence at which joints begin to count, 0.1
ZERO = np.log(9.0)


def read(path: Path | str) -> list[LabelledImage]:
    """The images of one file: ``{image: prediction}``, each prediction as the model gives it.

    Args:
        path: ``.json`` (of lists), ``.pt`` or ``.pth`` (``torch.save`` of tensors), or ``.npz``
            with one row per person: ``files`` (names of the images), ``keypoints``, and where there
            are ``boxes``, ``scores``, ``keypoints_scores``.

    Raises:
        UserError: a file of another form, or that would run code; numbers that cannot be.
    """
    path = Path(path)
    by_image = _of_arrays(path) if path.suffix == ".npz" else _of_dict(path)
    return [LabelledImage(name, tuple(_people(one, f"{path}: {name}"))) for name, one in by_image]


def _of_dict(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.suffix == ".json":
        content = read_json(path)
    else:
        from reidkit.utils.checkpoint import load_checkpoint

        content = load_checkpoint(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a dict of predictions by the image's path")
    for name, one in content.items():
        if not isinstance(one, dict) or "keypoints" not in one:
            raise UserError(f"{path}: {name!s:.60}: expected a dict with keypoints and boxes")
        yield str(name), {key: _list(one[key]) for key in KEYS if key in one}


def _list(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _of_arrays(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with np.load(BytesIO(read_regular(path)), allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("files", *KEYS) if key in file}
    except Exception as error:  # a damaged archive can raise almost anything
        raise UserError(f"{path}: not a readable .npz of arrays ({error})") from None
    if "files" not in arrays or arrays["files"].dtype.kind != "U" or "keypoints" not in arrays:
        raise UserError(f"{path}: expected arrays files (text) and keypoints; has {list(arrays)}")
    lengths = {key: len(array) if array.ndim else 0 for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"{path}: one row per person, but the arrays have {lengths}")
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(arrays.pop("files").tolist()):
        rows_of.setdefault(name, []).append(row)
    for name, rows in rows_of.items():
        yield name, {key: array[rows].tolist() for key, array in arrays.items()}


def _people(one: Mapping[str, Any], where: str) -> Iterator[Person]:
    columns = {key: one[key] for key in KEYS if key in one}
    if not all(isinstance(column, list) for column in columns.values()):
        raise UserError(f"{where}: expected lists of {', '.join(columns)}")
    if len({len(column) for column in columns.values()}) > 1:
        raise UserError(f"{where}: {', '.join(columns)} are not of one length")
    for place in range(len(columns["keypoints"])):
        entry = f"{where}: person {place + 1}"
        row = {key: column[place] for key, column in columns.items()}
        yield _person(row, entry)


def _person(row: Mapping[str, Any], where: str) -> Person:
    joints = row["keypoints"]
    if not isinstance(joints, list) or len(joints) != 17:
        raise UserError(f"{where}: expected 17 keypoints, as [x, y, visibility] each")
    values = np.stack([numbers(joint, 3, "keypoints", where) for joint in joints])
    third = np.clip(values[:, 2], 0, 1)
    if row.get("keypoints_scores") is not None:
        heat = numbers(row["keypoints_scores"], 17, "keypoints_scores", where)
        third = third / (1 + np.exp(np.clip(ZERO - heat, -60, 60)))
    return Person(
        skeleton(values[:, :2].reshape(-1), third, where),
        where,
        None if row.get("boxes") is None else corners_to_box(row["boxes"], where),
        score=number_or_none(row.get("scores"), "scores", where),
    )
