"""Rows and images are matched by name, in any order, or not at all."""

import numpy as np
import pytest

from reidkit.data.tables.columns import meanings
from reidkit.errors import UserError
from reidkit.evaluation.io.join import join, matching_rows

FEATURES = dict(features=np.arange(3.0), paths=np.array(["a", "b", "c"]))
TABLE = dict(pid=["7", "8", "9"], file=["a", "b", "c"])


def joined(features, table):
    return join(meanings(features, "f.npz"), meanings(table, "t.csv"), "f.npz", "t.csv")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_by_name_in_any_order(order):
    table = {name: [cells[i] for i in order] for name, cells in TABLE.items()}
    columns, note = joined(FEATURES, table)
    assert columns["identity"].values == ["7", "8", "9"]
    assert note == "t.csv: rows are matched with f.npz by file name"


@pytest.mark.parametrize(
    "left, right, why",
    [
        (["features"], ["pid", "file"], ", which has no file names"),
        (["features", "paths"], ["pid"], ", as it has no file names"),
        (["features"], ["pid"], "; neither has file names"),
    ],
)
def test_by_order_where_a_side_has_no_names(left, right, why):
    columns, note = joined({n: FEATURES[n] for n in left}, {n: TABLE[n] for n in right})
    assert columns["identity"].values == TABLE["pid"]
    assert note == f"t.csv: rows are taken in the order of f.npz{why}"


@pytest.mark.parametrize(
    "files, message",
    [
        (["a", "b", "b"], "t.csv: column 'file': 'b' is there twice"),
        (["a", "b", "d"], "1 only in the first (such as 'c'), 1 only in the second (such as 'd')"),
        (["a", "b"], "1 only in the first (such as 'c'), 0 only in the second; they must be the"),
        (["a", "b", "c", "d"], "0 only in the first, 1 only in the second (such as 'd')"),
    ],
)
def test_names_that_differ_repeat_or_lack_are_refused(files, message):
    with pytest.raises(UserError) as caught:
        joined(FEATURES, dict(pid=["1"] * len(files), file=files))
    assert message in str(caught.value)


def test_names_that_repeat_among_the_features_are_refused():
    with pytest.raises(UserError, match="features: 'x' is there twice"):
        matching_rows(["x", "x"], ["x", "y"], "features", "table")


def test_one_fact_in_both_files_is_refused():
    with pytest.raises(UserError, match="'pids' and t.csv: column 'pid' both mean identity"):
        joined({**FEATURES, "pids": np.arange(3)}, TABLE)
