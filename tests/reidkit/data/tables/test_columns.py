"""What columns mean: one name, one meaning; and values that can be that."""

import numpy as np
import pytest

from reidkit.data.tables.columns import (
    ALIASES,
    Column,
    cameras,
    meanings,
    real_numbers,
    rows_of_sides,
    texts,
)
from reidkit.errors import UserError


def test_every_name_means_one_thing():
    names = [name for own in ALIASES.values() for name in own] + list(ALIASES)
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize(
    "names", [("pid", "id"), ("person", "label"), ("Identity", "identity"), ("path", "file ")]
)
def test_two_columns_of_one_meaning_are_refused_with_both_names(names):
    with pytest.raises(UserError) as caught:
        meanings(dict.fromkeys(names, [1]), "t.csv")
    assert all(f"'{name}'" in str(caught.value) for name in names)


def test_names_behind_a_side_and_tables_within_a_side():
    found = meanings(
        dict.fromkeys(["query_pids", "gallery_PID", "query_query", "gallery_distances"], [1]), "a"
    )
    assert list(found) == ["query_identity", "gallery_identity", "query_query", "gallery_gallery"]


@pytest.mark.parametrize(
    "values, message",
    [
        ([0, -1], "row 2 has -1; cameras are numbered from 0"),
        (["1", "c2"], "row 2: 'c2' is no whole number"),
        ([1.5], "row 1: 1.5 is no whole number"),
        (np.array([np.nan]), "nan is no whole number"),
        (np.array([2**63], np.uint64), "does not fit into 64 bits"),
        (np.zeros((2, 2), int), "must be one number or text per image, got int64 (2, 2)"),
    ],
)
def test_cameras_that_cannot_be(values, message):
    with pytest.raises(UserError) as caught:
        cameras(Column(values, "t.csv: column 'cam'"))
    assert message in str(caught.value) and str(caught.value).startswith("t.csv: column 'cam'")


@pytest.mark.parametrize(
    "values, message",
    [
        (["1.5", "nan"], "must hold numbers; row 2 has 'nan'"),
        (["1_0"], "must hold numbers; row 1 has '1_0'"),
        (["2024-01-01"], "must hold numbers; row 1 has '2024-01-01'"),
        (np.array([0.0, np.inf]), "must be finite; row 2 has inf"),
        (np.zeros((2, 2)), "must be one number per image, got (2, 2)"),
        (["1e999"], "must be finite; row 1 has inf"),
    ],
)
def test_times_that_cannot_be(values, message):
    with pytest.raises(UserError) as caught:
        real_numbers(Column(values, "t"))
    assert message in str(caught.value)
    assert real_numbers(Column(["1.5", "-2e1"], "t")).tolist() == [1.5, -20.0]


def test_names_in_bytes_are_names():
    assert texts(Column(np.array([b"a\xe9"]), "t")) == ["a\udce9"]


def sides(columns):
    masks = rows_of_sides(meanings(columns, "t"), 4)
    return {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()}


def test_split_words_and_truth_values_say_the_same():
    by_word = sides({"split": ["query", "Gallery", "both", "train"]})
    assert by_word == dict(query=[0, 2], gallery=[1, 2], multi_query=[])
    table = {
        "split": ["validation", "val", "test", "train"],
        "is_query": ["True", "0", "1.0", ""],
        "is_gallery": np.array([False, True, True, False]),
    }
    assert sides(table) == by_word


@pytest.mark.parametrize(
    "columns, message",
    [
        ({}, "no column 'split' that says which images are query"),
        ({"is_query": [1] * 4}, "column 'is_query' stands alone; add 'is_gallery'"),
        ({"split": ["query"] * 4, "is_query": [1] * 4, "is_gallery": [0] * 4}, "'query'; use one"),
        (
            {"split": ["train"] * 4, "is_query": [1] * 4, "is_gallery": [0] * 4},
            "'train' and a query",
        ),
        ({"is_query": ["maybe"] * 4, "is_gallery": [0] * 4}, "'maybe'; write True or False"),
        ({"is_query": [1] * 3, "is_gallery": [0] * 4}, "has 3 rows for 4 images"),
    ],
)
def test_sides_that_are_not_said_or_said_twice(columns, message):
    with pytest.raises(UserError) as caught:
        sides(columns)
    assert message in str(caught.value)
