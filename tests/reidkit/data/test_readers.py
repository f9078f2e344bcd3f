import numpy as np
import pytest

from reidkit.data import (
    CUHK03NP,
    MSMT17,
    DukeMTMCreID,
    Market1501,
    OccludedDuke,
    PartialILIDS,
    PartialREID,
)
from reidkit.errors import UserError
from reidkit.registry import DATASETS


def ids(split):
    return split.identities.tolist()


def cams(split):
    return split.cameras.tolist()


def test_market_lists_crops_and_leaves_junk_and_clutter_out(market):
    splits = Market1501(str(market)).splits()
    train, query, gallery = (splits[name] for name in ("train", "query", "gallery"))
    assert list(splits) == ["train", "query", "gallery"]
    assert train.paths[0] == "bounding_box_train/0002_c1s1_000451_03.jpg"
    assert (ids(train), cams(train)) == ([2, 2, 7], [1, 2, 3])
    assert (ids(query), cams(query)) == ([1, 3], [1, 4])
    assert (ids(gallery), cams(gallery)) == ([0, 1, 3], [1, 2, 6])  # the distractor 0 stays
    assert gallery.label_key == "market1501/gallery" and gallery.file(0).is_file()


def test_market_keeps_junk_on_request(market):
    reader = Market1501(str(market), keep_junk=True)
    assert ids(reader.splits()["gallery"]) == [-1, 0, 1, 3]
    assert reader.counts["gallery"] == (19732, 751)
    assert Market1501(str(market)).counts["gallery"] == (15913, 751)


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


def test_a_name_without_identity_is_refused(market, write_images):
    write_images(market / "market1501", ["query/holiday.jpg"])
    with pytest.raises(UserError) as error:
        Market1501(str(market)).prepare()
    assert str(error.value) == (
        "query/holiday.jpg: the name does not tell identity and camera; expected something like "
        "0002_c1s1_000451_03.jpg. Rename or remove the file"
    )


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


def test_style_transferred_training_images_keep_the_label_key(market, write_images):
    root = market / "market1501"
    names = [p.name for p in (root / "bounding_box_train").glob("0*.jpg")]
    write_images(root / "bounding_box_train_duke_style", names)
    reader = Market1501(str(market), train_dir="bounding_box_train_duke_style")
    train = reader.splits()["train"]
    assert train.paths[0] == "bounding_box_train_duke_style/0002_c1s1_000451_03.jpg"
    assert train.label_key == "market1501/train" and len(train) == 3
    assert reader.describe()[0].endswith(", from bounding_box_train_duke_style")


def test_a_styled_image_without_original_is_refused(market, write_images):
    write_images(market / "market1501/styled", ["0009_c1s1_000451_03.jpg"])
    with pytest.raises(UserError, match=r"styled/0009_c1s1_000451_03.jpg has no original"):
        Market1501(str(market), train_dir="styled").prepare()
    with pytest.raises(UserError, match="train_dir 'nope' is no folder of"):
        Market1501(str(market), train_dir="nope").prepare()


@pytest.mark.parametrize(
    ("reader", "folder"),
    [(DukeMTMCreID, "DukeMTMC-reID"), (OccludedDuke, "Occluded-DukeMTMC-reID")],
)
def test_duke_names(tmp_path, write_images, reader, folder):
    root = tmp_path / folder
    write_images(root / "bounding_box_train", ["0001_c2_f0046182.jpg", "0007_c8_f0000001.jpg"])
    write_images(root / "query", ["0005_c2_f0046985.jpg"])
    write_images(root / "bounding_box_test", ["0002_c1_f0044158.jpg", "0005_c5_f0051341.jpg"])
    splits = reader(str(tmp_path)).splits()
    assert (ids(splits["train"]), cams(splits["train"])) == ([1, 7], [2, 8])
    assert splits["query"].label_key == f"{reader.name}/query"


@pytest.mark.parametrize(("part", "suffix"), [("labeled", "png"), ("detected", "jpg")])
def test_cuhk03_reads_the_boxes_asked_for(tmp_path, write_images, part, suffix):
    for kind, number in (("labeled", 1), ("detected", 2)):
        root = tmp_path / "cuhk03-np" / kind
        write_images(root / "bounding_box_train", [f"000{number}_c1_1.{suffix}"])
        write_images(root / "query", [f"000{number + 2}_c1_4.{suffix}"])
        write_images(root / "bounding_box_test", [f"000{number + 2}_c2_9.{suffix}"])
    reader = CUHK03NP(str(tmp_path), part=part)
    train = reader.splits()["train"]
    number = 1 if part == "labeled" else 2
    assert train.paths == (f"{part}/bounding_box_train/000{number}_c1_1.{suffix}",)
    assert train.label_key == f"cuhk03np_{part}/train"
    assert reader.counts["train"][0] == {"labeled": 7368, "detected": 7365}[part]
    with pytest.raises(ValueError, match="part must be 'labeled' or 'detected', got 'both'"):
        CUHK03NP(str(tmp_path), part="both")


def write_msmt(root, write_images, folders):
    rows = {
        "train": ["0000/0000_000_01_0303morning_0008_0.jpg 0"],
        "val": ["0001/0001_003_14_0303noon_0008_1.jpg 1"],
        "query": ["0000/0000_001_05_0303morning_0008_0.jpg 0"],
        "gallery": [
            "0001/0001_000_03_0303morning_0008_0.jpg 1",
            "0000/0000_000_02_0303morning_0008_0.jpg 0",
        ],
    }
    for name, lines in rows.items():
        images = folders[name in ("query", "gallery")]
        write_images(root / images, [line.split()[0] for line in lines])
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("version", "folders"), [("V1", ("train", "test")), ("V2", ("mask_train_v2", "mask_test_v2"))]
)
def test_msmt_versions(tmp_path, write_images, version, folders):
    write_msmt(tmp_path / f"MSMT17_{version}", write_images, folders)
    reader = MSMT17(str(tmp_path), version=version)
    splits = reader.splits()
    assert (ids(splits["train"]), cams(splits["train"])) == ([1, 2], [1, 14])  # not 0: a distractor
    assert splits["query"].paths == (f"{folders[1]}/0000/0000_001_05_0303morning_0008_0.jpg",)
    assert (ids(splits["gallery"]), cams(splits["gallery"])) == ([1, 2], [2, 3])  # sorted by path
    assert all(splits[s].file(0).is_file() for s in splits)
    assert reader.counts["train"] == (32621, 1041)


def test_msmt_without_val_and_with_everything(tmp_path, write_images):
    write_msmt(tmp_path / "msmt17", write_images, ("train", "test"))
    small = MSMT17(str(tmp_path), val=False)
    assert ids(small.splits()["train"]) == [1] and small.counts["train"] == (30248, 1041)
    every = MSMT17(str(tmp_path), combine_all=True)
    train = every.splits()["train"]
    assert train.label_key == "msmt17/train_all" and every.counts["train"] == (126441, 4101)
    by_path = dict(zip(train.paths, ids(train), strict=True))
    assert by_path["test/0000/0000_001_05_0303morning_0008_0.jpg"] == 3  # 0 of the test half
    assert by_path["test/0001/0001_000_03_0303morning_0008_0.jpg"] == 4
    assert sorted(set(ids(train))) == [1, 2, 3, 4] and len(train) == 5


def test_msmt_refuses_broken_lists(tmp_path, write_images):
    root = tmp_path / "msmt17"
    write_msmt(root, write_images, ("train", "test"))
    (root / "list_val.txt").write_text("0001/a.jpg one\n")
    with pytest.raises(UserError, match=r"list_val.txt:1: expected 'path identity', got"):
        MSMT17(str(tmp_path)).prepare()
    (root / "list_val.txt").write_text("0009/0009_000_01_x.jpg 9\n")
    with pytest.raises(UserError, match="lists train/0009/0009_000_01_x.jpg, which is not there"):
        MSMT17(str(tmp_path)).prepare()
    with pytest.raises(ValueError, match="version must be 'V1' or 'V2'"):
        MSMT17(str(tmp_path), version="V3")


def test_partial_sets_have_no_cameras(tmp_path, write_images):
    root = tmp_path / "Partial-REID_Dataset"
    write_images(root / "partial_body_images", ["001_001.jpg", "002_003.jpg"])
    write_images(root / "occluded_body_images", ["002_001.jpg"])
    write_images(root / "whole_body_images", ["001_001.jpg", "002_001.jpg"])
    splits = PartialREID(str(tmp_path)).splits()
    assert list(splits) == ["query", "gallery"]
    assert (ids(splits["query"]), cams(splits["query"])) == ([1, 2], [0, 0])
    assert (ids(splits["gallery"]), cams(splits["gallery"])) == ([1, 2], [1, 1])
    occluded = PartialREID(str(tmp_path), query="occluded")
    assert ids(occluded.splits()["query"]) == [2]
    assert occluded.splits()["query"].label_key == "partial_reid_occluded/query"
    write_images(tmp_path / "Partial_iLIDS/Probe", ["001.jpg", "119.jpg"])
    write_images(tmp_path / "Partial_iLIDS/Gallery", ["001.jpg", "119.jpg"])
    splits = PartialILIDS(str(tmp_path)).splits()
    assert ids(splits["query"]) == ids(splits["gallery"]) == [1, 119]
    write_images(tmp_path / "Partial_iLIDS/Probe", ["me.jpg"])
    with pytest.raises(UserError, match=r"Probe/me.jpg: the name must start with the identity"):
        PartialILIDS(str(tmp_path)).prepare()


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
