import pytest

from reidkit.errors import UserError
from reidkit.pose.matching import match_names

CROPS = ["query/0001/a.jpg", "query/0002/a.jpg", "query/0003/a.jpg"]


def test_a_crop_without_entry_never_gets_anothers():
    assert match_names(CROPS, CROPS[:2]) == [0, 1, None]
    assert match_names(CROPS, ["0001/a.jpg", "0002/a.jpg"]) == [0, 1, None]
    assert match_names(["q/b.jpg"], ["q/a.jpg"]) == [None]


def test_absolute_and_windows_paths_are_understood():
    assert match_names(CROPS[:1], ["C:\\data\\query\\0001\\a.jpg"]) == [0]
    assert match_names(CROPS, [f"/data/./{path}" for path in reversed(CROPS)]) == [2, 1, 0]


def test_a_base_name_counts_only_where_it_is_the_only_one_on_both_sides():
    assert match_names(["campus/7.png"], ["elsewhere/7.png"]) == [0]
    for crops, entries in (
        (CROPS, ["a.jpg"]),
        (CROPS, ["elsewhere/a.jpg"]),
        (["campus/7.png"], ["x/7.png", "y/7.png"]),
    ):
        with pytest.raises(UserError, match="could be .* or .*; name the entries by the crops'"):
            match_names(crops, entries, source="kp.json")


def test_crops_of_other_splits_count_too():
    """An entry named below the folder of a split fits a crop of each split."""
    with pytest.raises(UserError, match="'0001/a.jpg' could be 'query/0001/a.jpg' or 'train/0001"):
        match_names(CROPS, ["0001/a.jpg"], among=["train/0001/a.jpg"])
    assert match_names(CROPS[:1], ["train/0001/a.jpg"], among=["train/0001/a.jpg"]) == [None]


def test_an_entry_twice_is_refused():
    with pytest.raises(UserError, match="kp.json: 'a.jpg' stands there twice"):
        match_names(["a.jpg"], ["a.jpg", "./a.jpg"], source="kp.json")
