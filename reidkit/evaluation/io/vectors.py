"""Features and distances of a file as tensors, and whether their values can be that."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.data.tables.columns import Column
from reidkit.errors import UserError
from reidkit.structures import Embedding

LARGEST = float(np.finfo(np.float32).max)


def read_embedding(features: Column, visibility: Column | None = None) -> Embedding:
    """Vectors of somebody's features, float32.

    Args:
        features: (M, D) or (M, P, D) floats of any size; nested lists out of Parquet.
        visibility: (M, P) in [0, 1], or None: every part is visible.

    Shape:
        returns vectors (M, P, D), visibility (M, P) or None.

    Raises:
        UserError: other shapes, whole numbers, values that are not finite or beyond float32.
    """
    values = _array(features, "f", "numbers (images, dims) or (images, parts, dims)")
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise UserError(
            f"{features.where} must be numbers (images, dims) or (images, parts, dims), got "
            f"{values.dtype} {values.shape}"
        )
    vectors = torch.from_numpy(_float32(values, features.where))
    vectors = vectors[:, None] if vectors.ndim == 2 else vectors
    if visibility is None:
        return Embedding(vectors)
    seen = _array(visibility, "biuf", "numbers (images, parts)")
    if seen.shape != vectors.shape[:2]:
        raise UserError(
            f"{visibility.where} must be (images, parts) = {tuple(vectors.shape[:2])}, got "
            f"{seen.shape}"
        )
    outside = ~((seen >= 0) & (seen <= 1)).all(1)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(
            f"{visibility.where} must be from 0 (hidden) to 1 (visible); row {row + 1} has "
            f"{seen[row].tolist()}"
        )
    return Embedding(vectors, torch.from_numpy(np.asarray(seen, np.float32)))


def read_distances(table: Column) -> NDArray:
    """A table of distances as it is, (Q, G), finite in float32.

    Raises:
        UserError: no table of numbers, or values that are not finite or beyond float32.
    """
    values = _array(table, "iuf", "a table of numbers (queries, gallery)")
    if values.ndim != 2 or 0 in values.shape:
        raise UserError(
            f"{table.where} must be a table of numbers (queries, gallery), got {values.dtype} "
            f"{values.shape}"
        )
    _check_finite(values, table.where)
    return values


def _array(column: Column, kinds: str, wanted: str) -> NDArray:
    values: Any = column.values
    if not isinstance(values, np.ndarray):
        try:
            values = np.array(values, np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise UserError(f"{column.where} must be {wanted}: {error}") from None
    if values.dtype.kind not in kinds:
        hint = ""
        if kinds == "f" and values.dtype.kind in "biu":
            hint = (
                "; whole numbers are quantised features: multiply them by the scale they were made "
                "with (less the zero point) and save floats"
            )
        raise UserError(f"{column.where} must be {wanted}, got {values.dtype} {values.shape}{hint}")
    return values


def _float32(values: NDArray, where: str) -> NDArray[np.float32]:
    _check_finite(values, where)
    small: NDArray[np.float32] = np.ascontiguousarray(values, np.float32)
    if values.dtype.itemsize > 4:
        flat, before = (x.reshape(len(x), -1) for x in (small, values))
        lost = before.any(1) & ~flat.any(1)
        if lost.any():
            row = int(np.argmax(lost))
            raise UserError(
                f"{where}: row {row + 1} has values up to {np.abs(before[row]).max():.1e}, too "
                "small for float32; multiply all features by one number"
            )
    return small


def _check_finite(values: NDArray, where: str) -> None:
    if values.dtype.kind != "f":
        return
    rows = values.reshape(len(values), -1)
    good = np.isfinite(rows).all(1)
    if values.dtype.itemsize > 4:
        good &= (np.abs(rows) <= LARGEST).all(1)  # NaN is not
    if good.all():
        return
    row, bad = int(np.argmin(good)), int((~good).sum())
    if np.isnan(rows[row]).any():
        why = "NaN; the model or the program that wrote them made it"
    elif np.isinf(rows[row]).any():
        most = np.finfo(values.dtype).max
        why = f"infinite values; {values.dtype} ends at {most:.4g}: save them as a wider float"
    else:
        why = f"values up to {np.abs(rows[row]).max():.1e}, and float32 ends at 3.4e38: scale them"
    raise UserError(f"{where}: {bad} of {len(rows)} rows hold {why}. First: row {row + 1}")
