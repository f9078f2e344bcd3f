"""Whole numbers are whole numbers; people may be called anything; nobody merges with anybody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidkit.data.identities import number_identities, whole_number, whole_numbers
from reidkit.errors import UserError


@pytest.mark.parametrize("text", ["1_11", "²", "٣", "0x1f", "1,5", "2.5", "", "abc", "--1", "1 2"])
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="is no whole number"):
        whole_number(text)


@pytest.mark.parametrize(
    "value, why",
    [
        (True, "truth value"),
        (np.nan, "no whole number"),
        (2.5, "no whole number"),
        (2.0**53, "neighbours share it"),
        (np.float32(2**24), "neighbours share it"),
        (np.float16(2**11), "neighbours share it"),
        ("9007199254740993.0", "neighbours share it"),
        ("1.23457E+11", "leaves out the last digits"),
    ],
)
def test_numbers_that_may_have_been_rounded(value, why):
    with pytest.raises(ValueError, match=why):
        whole_number(value)


@pytest.mark.parametrize(
    "value, number",
    [("0017", 17), ("+4", 4), (" -3 ", -3), ("5.0", 5), ("1.000e+00", 1), (b"12", 12)]
    + [(np.uint8(200), 200), (np.float32(3), 3), (2.0**53 - 1, 2**53 - 1), ("9" * 20, 10**20 - 1)],
)
def test_whole_numbers_as_they_are_written(value, number):
    assert whole_number(value) == number


@pytest.mark.parametrize(
    "values, message",
    [
        (["1", "c2"], "col must hold whole numbers; row 2: 'c2' is no whole number"),
        (["1", "9" * 20], "row 2: 99999999999999999999 does not fit into 64 bits"),
        (np.array([2**64 - 1], np.uint64), "row 1: 18446744073709551615 does not fit"),
        (np.zeros((3, 2)), "col must be one number or text per image, got float64"),
        (np.array([True]), "col must be one number or text per image, got bool"),
        (np.array([1j]), "got complex128"),
    ],
)
def test_columns_of_something_else_are_refused(values, message):
    with pytest.raises(UserError) as caught:
        whole_numbers(values, "col")
    assert message in str(caught.value)


def test_whole_numbers_of_every_type_are_read():
    for values in ([3, 1], ["3", "1"], np.array([3.0, 1.0], np.float16), np.array([b"3", b"1"])):
        assert whole_numbers(values, "col").tolist() == [3, 1]
    assert whole_numbers([], "col").tolist() == []


@pytest.mark.parametrize(
    "values, numbers, names, notice",
    [
        ([5, 2, 5], [5, 2, 5], (), ""),
        (["0005", "0002"], [5, 2], (), ""),
        ([0, 3, 1, 0], [1, 3, 2, 1], ("0", "1", "3"), "identity 0 is one like any other"),
        (["1_11", "11_1"], [2, 1], ("11_1", "1_11"), "names such as '11_1'"),
        (["7", "anna"], [1, 2], ("7", "anna"), "names such as 'anna'"),
        (["9" * 20, "5"], [2, 1], ("5", "9" * 20), "does not fit into 64 bits"),
        (np.array([2**64 - 1, 3], np.uint64), [2, 1], ("3", str(2**64 - 1)), "64 bits"),
    ],
)
def test_people_are_numbered(values, numbers, names, notice):
    people = number_identities(values, "table")
    assert (people.numbers.tolist(), people.names) == (numbers, names)
    assert notice in people.notice and bool(notice) == bool(people.notice)


@pytest.mark.parametrize(
    "values, message",
    [
        (["1", ""], "table: row 2 has none ('')"),
        ([1.0, np.nan], "table: row 2 has none"),
        (["a", "NaN"], "row 2 has none ('NaN')"),
        (["1", "01"], "'1' and '01' (row 2) are one number"),
        ([3, -1], "-1 (row 2) is negative, as no identity is; say what it marks: junk=-1"),
        (["anna", "-1"], "-1 (row 2) is negative"),
        (["1", "2.5"], "row 2: '2.5' is no whole number"),
        (["1.23457E+11", "2"], "row 1: '1.23457E+11' leaves out the last digits"),
        ([1.0, 2.5], "row 2: 2.5 is no whole number"),
    ],
)
def test_what_names_nobody_is_refused(values, message):
    with pytest.raises(UserError) as caught:
        number_identities(values, "table")
    assert message in str(caught.value)


def test_marks_are_what_the_user_says():
    marked = number_identities(["-1", "0000", "7"], "t", junk=-1, distractor="0")
    assert marked.numbers.tolist() == [-1, 0, 7] and not marked.names and not marked.notice
    named = number_identities(["bob", "nobody", "eve", "bad"], "t", "bad", "nobody")
    assert named.numbers.tolist() == [1, 0, 2, -1] and named.names == ("bob", "eve")
    assert "no image has --junk -1" in number_identities([4], "t", -1, option="--{} ").notice
    with pytest.raises(ValueError, match="both"):
        number_identities([4], "t", junk=0, distractor="0")
    only = number_identities([-1, -1], "t", junk=-1)
    assert only.numbers.tolist() == [-1, -1] and not only.names


@given(
    st.one_of(
        st.lists(st.integers(0, 50)),
        st.lists(st.integers(0, 2**70)),
        st.lists(st.text("ab01_² ", max_size=4)),
        st.lists(st.floats()),
    )
)
def test_people_are_kept_apart_and_together_or_refused(values):
    try:
        people = number_identities(values, "t")
    except UserError:
        return
    assert (people.numbers > 0).all()
    keys = [value.strip() if isinstance(value, str) else value for value in values]
    assert len(set(keys)) == len(set(people.numbers.tolist()))
    assert len(set(zip(keys, people.numbers.tolist(), strict=True))) == len(set(keys))
