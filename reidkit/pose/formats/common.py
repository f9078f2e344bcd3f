"""What the readers of formats share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.data.joints import confidences, numbers
from reidkit.errors import UserError


def files_in(path: Path, ending: str) -> list[Path]:
    """The file itself, or all files of a folder and its sub-folders with an ending, sorted.

    Raises:
        UserError: nothing there.
    """
    if path.exists() and not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob(f"*{ending}") if not file.name.startswith("."))
    if not files:
        what = "no such file or folder" if not path.exists() else f"no *{ending} in this folder"
        raise UserError(f"{path}: {what}")
    return files


def image_name(file: Path, root: Path, ending: str) -> str:
    """The name without the ending of the image that a file is named after, below the folder."""
    inside = file.relative_to(root if root.is_dir() else file.parent).as_posix()
    return inside.removesuffix(ending)


def skeleton(
    places: Sequence[Any] | np.ndarray, third: np.ndarray, where: str, shift: float = 0.0
) -> np.ndarray:
    """Joints out of places and confidences or flags.

    A joint at exactly 0, 0 was not found, whatever its confidence: that is how programs write it.

    Args:
        places: x, y of 17 joints, 34 numbers, checked here.
        third: confidences in [0, 1].
        where: they stand, for messages.
        shift: added to places that were found.

    Shape:
        third (17,); returns (17, 3).
    """
    points = numbers(places, 34, "keypoints", where).reshape(17, 2)
    found = (third > 0) & (points != 0).any(1)
    points = np.where(found[:, None], points + shift, 0.0)
    return np.concatenate([points, np.where(found, third, 0.0)[:, None]], axis=1)


def flags_or_confidences(third: np.ndarray, where: str, limits: tuple[float, float]) -> np.ndarray:
    """What stands behind x and y: COCO's flags 0, 1 (hidden), 2 as 0, 0.5, 1; else confidences.

    Shape:
        third (17,); returns the same, in [0, 1].
    """
    if np.isin(third, (0, 1, 2)).all() and (third == 2).any():
        return third / 2
    return confidences(third, where, limits)


def corners_to_box(corners: Any, where: str) -> np.ndarray:
    """x, y, width, height of a box given by its corners."""
    x1, y1, x2, y2 = numbers(corners, 4, "box", where)
    if x2 < x1 or y2 < y1:
        raise UserError(f"{where}: box is {[x1, y1, x2, y2]}; expected x1, y1, x2, y2")
    return np.array([x1, y1, x2 - x1, y2 - y1])


def entries(content: Any, where: str) -> list[dict[str, Any]]:
    """A list of dicts.

    Raises:
        UserError: anything else.
    """
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise UserError(f"{where}: expected a list of people, each a dict")
    return content


def number_or_none(value: Any, what: str, where: str) -> float | None:
    """One finite number that may be left out."""
    return None if value is None else float(numbers([value], 1, what, where)[0])
