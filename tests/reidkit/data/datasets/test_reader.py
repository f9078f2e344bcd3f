"""What every reader does: where it looks, what it refuses, what it counts."""

import numpy as np
import pytest

from reidkit.data import Market1501
from reidkit.errors import UserError
from reidkit.registry import DATASETS


@pytest.mark.parametrize(
    "nest",
    ["market1501/Market-1501-v15.09.15", "Market-1501-v15.09.15", "Market1501", ""],
)
def test_usual_nestings_are_found(market, tmp_path, nest):
    moved = tmp_path / "moved" / nest
    moved.parent.mkdir(parents=True, exist_ok=True)
    (market / "market1501").rename(moved)
    found = Market1501(str(tmp_path / "moved")).splits()["train"]
    assert found.root == moved and len(found) == 3


def test_missing_data_says_expected_found_and_how(tmp_path):
    (tmp_path / "market1501/query").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        Market1501(str(tmp_path)).prepare()
    own = tmp_path.as_posix() + "/market1501"
    assert str(error.value) == (
        f"Market-1501: not found in {own}\n"
        f"  expected: {own}/ with\n"
        "      bounding_box_train/\n"
        "      query/\n"
        "      bounding_box_test/\n"
        f"  also looked in: {own}/Market-1501-v15.09.15, "
        f"{own}/Market-1501-v15.09.15/Market-1501-v15.09.15, {own}/Market1501, "
        f"and the same in {tmp_path.as_posix()}\n"
        f"  found: {own} holds query/\n"
        "  to fix: unpack Market-1501-v15.09.15.zip there; or set settings.data_root or the "
        "reader's option root"
    )


def test_missing_data_root_is_named(tmp_path):
    with pytest.raises(UserError, match="found: no folder .*/market1501 and no folder .*/nowhere"):
        Market1501(str(tmp_path / "nowhere")).prepare()


def test_empty_folder_is_refused(market):
    for file in (market / "market1501/query").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"^Market-1501: no images for query in .*unpack"):
        Market1501(str(market)).prepare()


def test_counts_are_compared_from_half_of_the_training_images_on(market):
    def reader(train, **options):
        made = Market1501(str(market), **options)
        made.counts = {"train": (train, 2), "query": (2, 2), "gallery": (4, 4)}
        return made

    reader(7).prepare()  # 3 of 7: a subset
    with pytest.raises(UserError) as error:
        reader(6).prepare()
    assert str(error.value) == (
        f"Market-1501: {market.as_posix()}/market1501 differs from the published set\n"
        "  train: expected 6 images of 2 identities, found 3 of 2\n"
        "  gallery: expected 4 images of 4 identities, found 3 of 3\n"
        '  to fix: unpack the archive again, or set check_counts="never" to use it as it is'
    )
    reader(6, check_counts="never").prepare()
    with pytest.raises(UserError, match="expected 70 images"):
        reader(70, check_counts="always").prepare()
    lines = reader(7).describe()
    assert lines[0] == (
        "market1501/train: 3 images, 2 identities, 3 cameras (the published set has 7 images)"
    )
    with pytest.raises(ValueError, match="check_counts must be 'auto', 'always' or 'never'"):
        Market1501(str(market), check_counts="yes")


def test_published_counts_pass_the_check_exactly(tmp_path, write_images):
    for number in range(1, 4):
        names = [f"000{number}_c{c}s1_00000{c}_00.jpg" for c in (1, 2)]
        write_images(tmp_path / "market1501/bounding_box_train", names)
        write_images(tmp_path / "market1501/query", names[:1])
        write_images(tmp_path / "market1501/bounding_box_test", names[1:])
    reader = Market1501(str(tmp_path), check_counts="always")
    reader.counts = {"train": (6, 3), "query": (3, 3), "gallery": (3, 3)}
    reader.prepare()


def test_published_counts():
    """The numbers of the sets' own papers."""
    for name, split, counts in (
        ("Market1501", "train", (12936, 751)),
        ("DukeMTMCreID", "gallery", (17661, 1110)),
        ("OccludedDuke", "train", (15618, 702)),
        ("PartialREID", "query", (300, 60)),
        ("PartialILIDS", "gallery", (119, 119)),
    ):
        assert DATASETS.get(name).counts[split] == counts, name


def test_readers_are_built_from_configs(market):
    reader = DATASETS.build(dict(type="Market1501", data_root=str(market)))
    assert np.unique(reader.splits()["train"].identities).tolist() == [2, 7]
    with pytest.raises(TypeError, match="unexpected keyword argument 'rot'"):
        DATASETS.build(dict(type="Market1501", rot="x", data_root=str(market)))


def test_a_number_that_no_camera_or_person_has_is_refused(market, write_images):
    write_images(market / "market1501", ["query/99999999999999999999_c1s1_000001_00.jpg"])
    with pytest.raises(UserError, match="more digits than any identity or camera"):
        Market1501(str(market)).prepare()
