import pytest

from reidkit.data import MSMT17
from reidkit.errors import UserError


def ids(split):
    return split.identities.tolist()


def cams(split):
    return split.cameras.tolist()


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


@pytest.mark.parametrize(
    "name, text, reason",
    [
        ("train", "a.jpg 0\na.jpg 0", "lists train/a.jpg more than once"),
        ("gallery", "0000/0000_001_05_0303morning_0008_0.jpg 0", "list_query.txt and list_gallery"),
        ("train", "a.jpg 0\ngone.jpg 1\nb.jpg 2", r"lists train/gone.jpg, .* \(1 such"),
        ("train", "a.jpg \u00b2", "list_train.txt:1: expected 'path identity'"),
        ("train", "a.jpg 1_0", "list_train.txt:1: expected 'path identity'"),
        ("train", b"\xff\xfe\0\x01", "no list of names, it is not text in UTF-8"),
    ],
)
def test_msmt_lists_that_would_count_wrongly(tmp_path, write_images, name, text, reason):
    root = tmp_path / "msmt17"
    write_msmt(root, write_images, ("train", "test"))
    write_images(root / "train", ["a.jpg", "b.jpg"])
    (root / f"list_{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=reason):
        MSMT17(str(tmp_path)).prepare()


def test_msmt_lists_of_other_systems_are_read(tmp_path, write_images):
    root = tmp_path / "msmt17"
    write_msmt(root, write_images, ("train", "test"))
    want = MSMT17(str(tmp_path)).splits()["gallery"]
    for file in root.glob("list_*.txt"):
        text = file.read_text().replace("/", "\\").replace(" ", "\t").replace("\n", "\r\n")
        file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert MSMT17(str(tmp_path)).splits()["gallery"].fingerprint() == want.fingerprint()
