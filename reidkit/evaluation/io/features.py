"""Features from anywhere as a test set, with labels inside or in a table beside.

Of .npz, .npy, .parquet, or an extraction (``reidkit extract --images``).

One list of images with a column ``split`` ("query", "gallery", also "both") or ``is_query`` and
``is_gallery``; or, in .npz, two: arrays ``query_features``, ``gallery_features`` with
``query_identity``, ``gallery_identity`` and so on, or ``distances`` in place of features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.data.identities import Identities, number_identities
from reidkit.data.tables.arrays import read_arrays
from reidkit.data.tables.columns import (
    SIDES,
    Column,
    cameras,
    cells,
    meanings,
    real_numbers,
    rows_of_sides,
    texts,
)
from reidkit.data.tables.read import read_table
from reidkit.errors import UserError
from reidkit.evaluation.io.extraction import FILE, Extraction
from reidkit.evaluation.io.join import join
from reidkit.evaluation.io.store import TestSet, read_store
from reidkit.evaluation.io.vectors import read_distances, read_embedding
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.precomputed import PrecomputedMatcher, RowIds, precomputed
from reidkit.structures import Embedding

IMAGES = "the images"  # of one list
OPTION = "--{} "  # as the command line writes options
Marks = tuple[str | int | None, str | int | None]


def read_features(
    path: str | Path,
    labels: str | Path | None = None,
    junk: str | int | None = None,
    distractor: str | int | None = None,
) -> TestSet:
    """A test set from a feature store, an extraction, .npz, .npy or .parquet.

    Every identity is a person's, 0 and names among them; only what ``junk`` and ``distractor`` name
    is none. A feature store has marks of its own.

    Args:
        path: the features.
        labels: .csv or .parquet with a row per image: ``identity``, ``camera``, ``split``, perhaps
            ``file`` and ``time``. Its rows are those of the features by their file names, in any
            order, or by their order where one of the two has no names. None: they are in ``path``.
        junk: the identity of images that are left out for every query (-1 in Market-1501).
        distractor: the identity of images of nobody who is looked for (0 in Market-1501).

    Returns:
        Its ``meta`` holds ``notes``, sentences on what was matched and numbered, and
        ``precomputed``, a matcher, when the file brings distances.

    Raises:
        UserError: no such file, damage, something that a test needs is missing or said twice, or a
            value that cannot be.
    """
    path = Path(path)
    extraction = Extraction(path) if (path / FILE).is_file() else None
    if extraction is None and path.is_dir():
        if labels is not None or junk is not None or distractor is not None:
            extra = labels or "--junk and --distractor"
            raise UserError(f"{path}: a feature store has its labels inside; leave {extra} out")
        return read_store(path)
    raw = _raw(path) if extraction is None else extraction.columns()
    columns, notes = meanings(raw, str(path)), list[str]()
    two_lists = "distances" in columns or any(f"{s}_features" in columns for s in SIDES)
    if labels is not None:
        if two_lists:
            raise UserError(
                f"{path}: has lists of its own for query and gallery; its labels are arrays inside "
                f"(query_identity, query_camera, ...), so leave {labels} out"
            )
        beside = meanings(read_table(labels), str(labels))
        columns, note = join(columns, beside, str(path), str(labels))
        notes.append(note)
    where, marks = str(labels or path), (junk, distractor)
    test = _two_lists(path, columns, marks) if two_lists else _one_list(path, columns, where, marks)
    test.meta["notes"] = notes + test.meta["notes"]
    if extraction is not None:
        test.meta["matcher"] = extraction.plan.matcher
    return test


def _raw(path: Path) -> Mapping[str, Any]:
    """The columns of a file of features."""
    if path.suffix not in (".npz", ".npy", ".parquet"):
        raise UserError(
            f"{path}: features are read from .npz, .npy, .parquet, a feature store or an extraction"
        )
    if not path.is_file():
        raise UserError(f"{path}: no such file or feature store")
    return read_table(path) if path.suffix == ".parquet" else read_arrays(path)


def _two_lists(path: Path, columns: Mapping[str, Column], marks: Marks) -> TestSet:
    ids, meta = dict[str, Embedding](), dict[str, Any](dataset=path.name)
    if "distances" in columns:
        ids["query"], ids["gallery"], meta["precomputed"] = _distances(path, columns)
    sides = {}
    for name in SIDES:
        own = {
            k.removeprefix(f"{name}_"): v for k, v in columns.items() if k.startswith(f"{name}_")
        }
        if own or name != "multi_query":
            _require(own, ("identity", "camera"), str(path), name)
            if name not in ids:
                _require(own, ("features",), str(path), name)
                ids[name] = read_embedding(own["features"], own.get("visibility"))
            sides[name] = own
    people = _number(path, {name: own["identity"] for name, own in sides.items()}, marks)
    starts = np.cumsum([0, *(len(own["identity"].values) for own in sides.values())])
    meta["notes"] = [people.notice] if people.notice else []
    return TestSet(
        {
            name: LabelledEmbeddings(
                ids[name],
                _labels(own, people, slice(starts[i], starts[i + 1]), len(ids[name])),
                name,
            )
            for i, (name, own) in enumerate(sides.items())
        },
        meta=meta,
    )


def _distances(
    path: Path, columns: Mapping[str, Column]
) -> tuple[RowIds, RowIds, PrecomputedMatcher]:
    """Row numbers of both sides, and a matcher that looks their distances up."""
    across = read_distances(columns["distances"])
    within = [
        read_distances(columns[name]) if name in columns else None
        for name in ("query_query", "gallery_gallery")
    ]
    try:
        query, gallery, matcher = precomputed(across, within[0], within[1])
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    if min(table.min() for table in (across, *within) if table is not None) >= 0:
        matcher.bounds = (0.0, math.inf)  # no learned scores: re-ranking takes them as they are
    return query, gallery, matcher


def _number(path: Path, sides: Mapping[str, Column], marks: Marks) -> Identities:
    """People of all sides, numbered together."""
    values = {name: cells(column) for name, column in sides.items()}
    rows = [(name, row) for name, own in values.items() for row in range(1, len(own) + 1)]

    def place(index: int) -> str:
        return f"row {rows[index][1]} of {rows[index][0]}"

    every = [value for own in values.values() for value in own]
    return number_identities(every, f"{path}: identities", *marks, place=place, option=OPTION)


def _one_list(path: Path, columns: Mapping[str, Column], where: str, marks: Marks) -> TestSet:
    _require(columns, ("features",), str(path), IMAGES)
    embedding = read_embedding(columns["features"], columns.get("visibility"))
    _require(columns, ("identity", "camera"), where, IMAGES)
    try:
        masks = rows_of_sides(columns, len(embedding))
    except UserError as error:
        raise UserError(str(error) if where in str(error) else f"{where}: {error}") from None
    for name in ("query", "gallery"):
        if not masks[name].any():
            raise UserError(f"{where}: the {name} is empty, no row has split '{name}' or 'both'")
    identity = columns["identity"]
    people = number_identities(cells(identity), identity.where, *marks, option=OPTION)
    labels = _labels(columns, people, slice(None), len(embedding))
    sides = {
        name: LabelledEmbeddings(embedding[torch.from_numpy(np.flatnonzero(m))], labels[m], name)
        for name, m in masks.items()
        if m.any()
    }
    notes = [people.notice] if people.notice else []
    return TestSet(sides, meta=dict(dataset=path.name, notes=notes))


def _require(columns: Mapping[str, Column], names: tuple[str, ...], where: str, side: str) -> None:
    for name in names:
        if name in columns:
            continue
        what = f"column '{name}'"
        if name == "features":
            what = "array 'features'" if side == IMAGES else f"array '{side}_features'"
        elif name == "camera":
            side += " (one camera: a column of zeros and --protocol single-camera)"
        has = ", ".join(columns) or "nothing"
        raise UserError(f"{where}: no {what} for {side}; it has: {has}")


def _labels(columns: Mapping[str, Column], people: Identities, rows: slice, count: int) -> Labels:
    """The labels of one list of images."""
    names, time = columns.get("file"), columns.get("time")
    numbers: NDArray[np.int64] = people.numbers[rows]
    camera = cameras(columns["camera"])
    paths = None if names is None else texts(names)
    times = None if time is None else real_numbers(time)
    known = {"identity": numbers, "camera": camera, "file": paths, "time": times}
    for name, values in known.items():
        if values is not None and len(values) != count:
            raise UserError(f"{columns[name].where} has {len(values)} rows for {count} images")
    return Labels(numbers, camera, paths, times, people.names)
