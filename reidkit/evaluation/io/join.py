"""Features and the table beside them: which row belongs to which image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.data.tables.columns import Column, texts
from reidkit.errors import UserError


def join(
    features: Mapping[str, Column], table: Mapping[str, Column], source: str, beside: str
) -> tuple[dict[str, Column], str]:
    """Columns of both, with the table's rows in the order of the features.

    Where both name their files, a row belongs to the image of its name; else to the image at its
    place.

    Args:
        features: columns of the file of features.
        table: columns of the table beside it.
        source: the file of features, for messages.
        beside: the table.

    Returns:
        The columns, and a sentence on how they were joined.

    Raises:
        UserError: a column that both have, names that differ or repeat, other numbers of rows.
    """
    for name in features:
        if name in table and name != "file":
            raise UserError(
                f"{features[name].where} and {table[name].where} both mean {name}; leave one out"
            )
    nameless = ["file" not in columns for columns in (features, table)]
    if any(nameless):
        why = {
            (True, True): "; neither has file names",
            (True, False): ", which has no file names",
            (False, True): ", as it has no file names",
        }[nameless[0], nameless[1]]
        return {**features, **table}, f"{beside}: rows are taken in the order of {source}{why}"
    order = matching_rows(
        texts(features["file"]), texts(table["file"]), features["file"].where, table["file"].where
    )
    moved = {
        name: Column(_take(column.values, order), column.where) for name, column in table.items()
    }
    return {**moved, **features}, f"{beside}: rows are matched with {source} by file name"


def matching_rows(
    names: Sequence[str], others: Sequence[str], where: str, elsewhere: str
) -> NDArray[np.int64]:
    """For each name, the place of the same one among the others.

    Args:
        names: M different ones.
        others: the same, in any order.
        where: what the names are, for messages.
        elsewhere: what the others are.

    Raises:
        UserError: a name that repeats, or that the other side lacks.

    Example:
        >>> matching_rows(["a", "b"], ["b", "a"], "features", "table")
        array([1, 0])
    """
    places = {name: place for place, name in enumerate(others)}
    for own, place in ((names, where), (others, elsewhere)):
        if len(set(own)) < len(own):
            twice = Counter(own).most_common(1)[0][0]
            raise UserError(
                f"{place}: {twice!r} is there twice, so rows cannot be told by their names; make "
                "names different (paths with their folders), or leave one of the columns out"
            )
    missing = [name for name in names if name not in places]
    if missing or len(others) > len(names):
        known = set(names)
        extra = [name for name in others if name not in known]
        raise UserError(
            f"{where} and {elsewhere} name different files: {len(missing)} only in the first"
            f"{_such(missing)}, {len(extra)} only in the second{_such(extra)}; they must be the "
            "same, written in the same way"
        )
    return np.array([places[name] for name in names], np.int64)


def _such(names: Sequence[str]) -> str:
    return f" (such as {names[0]!r})" if names else ""


def _take(values: Any, order: NDArray[np.int64]) -> Any:
    return values[order] if isinstance(values, np.ndarray) else [values[i] for i in order]
