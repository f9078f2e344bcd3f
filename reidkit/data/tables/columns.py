"""What the columns of somebody's table mean, and whether their values can be that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.data.identities import whole_numbers
from reidkit.errors import UserError

# what a column is -> the other names under which it is met; each name means one thing
ALIASES = {
    "identity": (
        "identities", "pid", "pids", "id", "ids", "person", "persons", "person_id", "person_ids",
        "identity_id", "label", "labels",
    ),
    "camera": ("cameras", "camid", "camids", "cam", "cams", "camera_id", "camera_ids", "cam_id"),
    "split": ("splits", "set", "subset", "role"),
    "file": (
        "files", "path", "paths", "name", "names", "image", "images", "file_name", "filename",
        "filenames", "image_path", "img_path",
    ),
    "time": ("times",),
    "query_query": ("query_distances",),
    "gallery_gallery": ("gallery_distances",),
}  # fmt: skip
SIDES = ("query", "gallery", "multi_query")
# of open-metric-learning's tables: truth values beside a "split" of train and validation
ROLES = ("is_query", "is_gallery")
OUTSIDE = ("train", "training", "")  # splits whose rows take no part in the test
WITH_ROLES = (*OUTSIDE, "val", "valid", "validation", "test")
TRUE, FALSE = ("1", "true", "yes", "1.0"), ("0", "false", "no", "0.0", "", "nan", "none")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Column:
    """Values of one meaning, and how their source calls them.

    Attributes:
        values: a list of cells, or an array.
        where: "labels.csv: column 'pid'", with which messages begin.
    """

    values: Any
    where: str


def meanings(columns: Mapping[str, Any], source: str) -> dict[str, Column]:
    """Columns by what they mean, those behind "query_" and "gallery_" too.

    Args:
        columns: name -> values, as a file has them.
        source: the file, for messages.

    Raises:
        UserError: two columns that mean the same.

    Example:
        >>> list(meanings({"PIDs": [7], "query_camid": [1], "vigour": [3]}, "a.npz"))
        ['identity', 'query_camera', 'vigour']
        >>> meanings({"pid": [7], "label": [7]}, "a.csv")
        Traceback (most recent call last):
        reidkit.errors.UserError: a.csv: columns 'pid' and 'label' both mean identity; leave one ...
    """
    other = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    known: dict[str, Column] = {}
    names: dict[str, str] = {}
    for name, values in columns.items():
        plain = name.strip().lower()
        side = next((f"{s}_" for s in SIDES if plain.startswith(f"{s}_")), "")
        if plain in other or plain in ALIASES:  # "query_query" is a whole name
            side = ""
        rest = plain.removeprefix(side)
        meaning = side + other.get(rest, rest)
        if meaning in known:
            raise UserError(
                f"{source}: columns '{names[meaning]}' and '{name}' both mean {meaning}; leave one "
                "of them out, or give it a name of its own"
            )
        known[meaning], names[meaning] = Column(values, f"{source}: column '{name}'"), name
    return known


def texts(column: Column) -> list[str]:
    """Names of files and the like, as text.

    Raises:
        UserError: no column of texts.
    """
    values = column.values
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or values.dtype.kind not in "USiu":
            raise UserError(
                f"{column.where} must be one text per image, got {values.dtype} {values.shape}"
            )
        values = values.tolist()
    return [
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        for value in values
    ]


def cells(column: Column) -> list[Any]:
    """The values of a column one by one: numbers as they are, everything else as text."""
    values = column.values
    if isinstance(values, np.ndarray) and not (values.ndim == 1 and values.dtype.kind in "biuf"):
        return texts(column)
    return list(values)


def cameras(column: Column) -> NDArray[np.int64]:
    """Camera numbers (M,), from 0.

    Raises:
        UserError: no whole numbers, or a negative one.
    """
    numbers = whole_numbers(column.values, column.where)
    if len(numbers) and numbers.min() < 0:
        row = int(np.argmin(numbers))
        raise UserError(
            f"{column.where}: row {row + 1} has {numbers[row]}; cameras are numbered from 0. Where "
            "the camera of an image is not known, give that image a camera of its own"
        )
    return numbers


def real_numbers(column: Column, least: float = -np.inf, most: float = np.inf) -> NDArray:
    """Finite numbers (M,), float64.

    Args:
        column: numbers, or texts that write some.
        least, most: what they lie between.

    Raises:
        UserError: a cell that is no number, or one outside.
    """
    values = column.values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
    else:
        written = texts(column)
        bad = next((i for i, text in enumerate(written) if not _REAL.fullmatch(text)), None)
        if bad is not None:
            raise UserError(
                f"{column.where} must hold numbers; row {bad + 1} has {written[bad][:40]!r}"
            )
        numbers = np.array(written, np.float64)
    if numbers.ndim != 1:
        raise UserError(f"{column.where} must be one number per image, got {numbers.shape}")
    wrong = ~(np.isfinite(numbers) & (numbers >= least) & (numbers <= most))
    if wrong.any():
        row = int(np.argmax(wrong))
        limits = "finite" if least == -np.inf else f"from {least:g} to {most:g}"
        raise UserError(f"{column.where} must be {limits}; row {row + 1} has {numbers[row]:g}")
    return numbers


def rows_of_sides(columns: Mapping[str, Column], count: int) -> dict[str, NDArray[np.bool_]]:
    """Which of the rows are query, which gallery, and which further images of the queries' people.

    Args:
        columns: "split" (query, gallery, both, multi_query, train), or "is_query" and
            "is_gallery", beside which "split" says train, validation or test.
        count: M rows.

    Shape:
        returns (M,) masks for each of "query", "gallery", "multi_query".

    Raises:
        UserError: neither, only one of two, another length, or a word that means nothing here.
    """
    roles = [name for name in ROLES if name in columns]
    split = columns.get("split")
    words = [] if split is None else [word.strip().lower() for word in texts(split)]
    if not roles:
        if split is None:
            raise UserError(
                f"no column 'split' that says which images are query and which gallery (query, "
                f"gallery, or both); it has: {', '.join(columns)}"
            )
        _check_words(split, words, (*SIDES, "both", *OUTSIDE), count)
        array = np.array(words)
        masks = {name: np.isin(array, (name, "both")) for name in ("query", "gallery")}
        return {**masks, "multi_query": array == "multi_query"}
    if len(roles) == 1:
        missing = ROLES[1 - ROLES.index(roles[0])]
        raise UserError(f"{columns[roles[0]].where} stands alone; add '{missing}'")
    masks = {name.removeprefix("is_"): _truth(columns[name], count) for name in ROLES}
    if split is not None:
        _check_words(split, words, WITH_ROLES, count)
        outside = np.isin(np.array(words), OUTSIDE)
        for name, mask in masks.items():
            if (mask & outside).any():
                row = int(np.argmax(mask & outside))
                raise UserError(f"{split.where}: row {row + 1} is {words[row]!r} and a {name}")
    return {**masks, "multi_query": np.zeros(count, bool)}


def _check_words(split: Column, words: Sequence[str], known: Sequence[str], count: int) -> None:
    if len(words) != count:
        raise UserError(f"{split.where} has {len(words)} rows for {count} images")
    row = next((i for i, word in enumerate(words) if word not in known), None)
    if row is not None:
        raise UserError(
            f"{split.where}: row {row + 1} has {words[row][:40]!r}; use one of "
            f"{', '.join(filter(None, known))}"
        )


def _truth(column: Column, count: int) -> NDArray[np.bool_]:
    words = [str(value).strip().lower() for value in cells(column)]
    if len(words) != count:
        raise UserError(f"{column.where} has {len(words)} rows for {count} images")
    row = next((i for i, word in enumerate(words) if word not in TRUE + FALSE), None)
    if row is not None:
        raise UserError(
            f"{column.where}: row {row + 1} has {words[row][:40]!r}; write True or False"
        )
    return np.array([word in TRUE for word in words], bool)
