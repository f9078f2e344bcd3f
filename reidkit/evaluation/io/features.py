"""Features from anywhere as a test set: .npz or .parquet with labels inside or in a table beside.

One list of images with a column ``split`` ("query", "gallery", also "both"), or, in .npz, arrays
``query_features``, ``gallery_features`` with ``query_identity``, ``gallery_identity`` and so on, or
a table of ``distances`` instead of features.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.io.store import TestSet, read_store
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.precomputed import precomputed
from reidkit.structures import Embedding

# a column's name -> other names under which it is met
COLUMNS = {
    "identity": ("identities", "pid", "pids", "id", "ids", "person", "label"),
    "camera": ("cameras", "camid", "camids", "cam", "cams"),
    "split": ("set", "subset"),
    "file": ("files", "path", "paths", "name", "image"),
    "time": ("times",),
}
SPLITS = ("query", "gallery", "multi_query")
TENSORS = ("features", "visibility")


def read_features(path: str | Path, labels: str | Path | None = None) -> TestSet:
    """A test set from a feature store, .npz or .parquet.

    Args:
        path: the features.
        labels: .csv or .parquet with a row per image in the order of the features: ``identity``,
            ``camera``, ``split``, perhaps ``file`` and ``time``. None: they are in ``path``.

    Returns:
        Its ``meta`` holds ``precomputed``, a matcher, when the file brings distances.

    Raises:
        UserError: no such file, or something that a test needs is missing.
    """
    path = Path(path)
    if path.is_dir():
        if labels is not None:
            raise UserError(f"{path}: a feature store has its labels inside; leave {labels} out")
        return read_store(path)
    arrays = _read_arrays(path)
    if labels is not None:
        arrays.update(read_queries(labels))
    known = _renamed(arrays)
    if any(name.startswith("query_") for name in known):
        return _two_sided(path, known)
    return _one_list(path, known, str(labels or path))


def _read_arrays(path: Path) -> dict[str, NDArray]:
    if not path.is_file():
        raise UserError(f"{path}: no such file or feature store")
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as content:
                return {name: content[name] for name in content.files}
        except ValueError as error:
            raise UserError(
                f"{path}: {error}; store texts as fixed-width strings, not as objects"
            ) from None
    if path.suffix == ".parquet":
        columns: dict[str, Any] = read_queries(path, skip=TENSORS)
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        for name in TENSORS:
            if name in table.column_names:
                columns[name] = np.array(table.column(name).to_pylist(), np.float32)
        return columns
    raise UserError(f"{path}: features are read from .npz, .parquet or a feature store")


def _renamed(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Columns under their usual names, behind "query_" and "gallery_" too."""
    other = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
    columns = {}
    for name, values in arrays.items():
        side = next((f"{s}_" for s in SPLITS if name.startswith(f"{s}_")), "")
        plain = name.removeprefix(side).lower()
        columns[side + other.get(plain, plain)] = values
    return columns


def _two_sided(path: Path, arrays: Mapping[str, NDArray]) -> TestSet:
    table, sides, meta = arrays.get("distances"), {}, dict[str, Any](dataset=path.name)
    ids: dict[str, Embedding] = {}
    if table is not None:
        within = (arrays.get("query_distances"), arrays.get("gallery_distances"))
        try:
            ids["query"], ids["gallery"], meta["precomputed"] = precomputed(table, *within)
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
    for name in SPLITS:
        own = {k.removeprefix(f"{name}_"): v for k, v in arrays.items() if k.startswith(f"{name}_")}
        if not own and name == "multi_query":
            continue
        embedding = ids.get(name)
        if embedding is None:
            embedding = _embedding(path, own, f"{name}_features")
        sides[name] = _side(str(path), own, embedding, name)
    return TestSet(sides, meta=meta)


def _one_list(path: Path, arrays: Mapping[str, NDArray], where: str) -> TestSet:
    embedding = _embedding(path, arrays, "features")
    if "split" not in arrays:
        raise UserError(
            f"{where}: no column 'split' that says which images are query and which gallery "
            f"(query, gallery, or both); it has: {', '.join(arrays)}"
        )
    split = np.char.lower(np.asarray(arrays["split"]).astype(str))
    unknown = sorted(set(split.tolist()) - {*SPLITS, "both", "train", ""})
    if unknown:
        raise UserError(
            f"{where}: split {unknown[0]!r}; use query, gallery, both, multi_query or train"
        )
    whole = _side(where, arrays, embedding, "all")
    rows = {
        name: np.isin(split, (name, "both") if name != "multi_query" else (name,))
        for name in SPLITS
    }
    for name in ("query", "gallery"):
        if not rows[name].any():
            raise UserError(f"{where}: the {name} is empty, no row has split '{name}' or 'both'")
    sides = {
        name: LabelledEmbeddings(
            whole.embedding[torch.from_numpy(np.flatnonzero(mask))], whole.labels[mask], name
        )
        for name, mask in rows.items()
        if mask.any()
    }
    return TestSet(sides, meta=dict(dataset=path.name))


def _embedding(path: Path, arrays: Mapping[str, NDArray], called: str) -> Embedding:
    features = arrays.get("features")
    if features is None:
        raise UserError(f"{path}: no array '{called}'; it has: {', '.join(arrays) or 'nothing'}")
    if features.ndim not in (2, 3) or not np.issubdtype(features.dtype, np.floating):
        raise UserError(
            f"{path}: {called} must be numbers (images, dims) or (images, parts, dims), got "
            f"{features.dtype} {features.shape}"
        )
    vectors = torch.from_numpy(np.ascontiguousarray(features, np.float32))
    vectors = vectors[:, None] if vectors.ndim == 2 else vectors
    seen = arrays.get("visibility")
    visibility = None if seen is None else torch.from_numpy(np.asarray(seen, np.float32))
    try:
        return Embedding(vectors, visibility)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _side(
    where: str, arrays: Mapping[str, NDArray], embedding: Embedding, name: str
) -> LabelledEmbeddings:
    for column in ("identity", "camera"):
        if column not in arrays:
            hint = (
                " (one camera: a column of zeros and --protocol single-camera)"
                if column == "camera"
                else ""
            )
            raise UserError(
                f"{where}: no column '{column}' for {name}{hint}; it has: {', '.join(arrays)}"
            )
    files = arrays.get("file")
    try:
        labels = Labels(
            _whole_numbers(where, "identity", arrays["identity"]),
            _whole_numbers(where, "camera", arrays["camera"]),
            None if files is None else [str(file) for file in files],
            arrays.get("time"),
        )
        return LabelledEmbeddings(embedding, labels, name)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _whole_numbers(where: str, column: str, values: NDArray) -> NDArray:
    """A column of integers, which may be written as floats."""
    values = np.asarray(values)
    if values.ndim != 1 or np.issubdtype(values.dtype, np.integer):
        return values
    if np.issubdtype(values.dtype, np.floating):
        whole = np.isfinite(values) & (values == np.round(values))
        if whole.all():
            return values.astype(np.int64)
    else:
        whole = np.zeros(len(values), bool)
    first = int(np.argmin(whole))
    people = " (people from 1, 0 for distractors, -1 for junk)" if column == "identity" else ""
    raise UserError(
        f"{where}: column '{column}' must hold whole numbers{people}; "
        f"row {first + 1} has {values[first].item()!r}"
    )
