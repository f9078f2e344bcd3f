"""Crops of tables: own ones and those of wildlife sets."""

import csv

import numpy as np
import pytest

from reidkit.data import ImageTable, Wildlife
from reidkit.data.crops import CropDataset
from reidkit.errors import UserError
from reidkit.evaluation import Labels, match_labels
from reidkit.evaluation.protocols import PROTOCOLS


def write(folder, rows, name="crops.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def own(tmp_path, write_images):
    names = [f"img/{i}.png" for i in range(8)]
    write_images(tmp_path / "own", names)
    return tmp_path, names


def test_a_table_of_splits_cameras_and_times(own):
    root, names = own
    words = ["train", "train", "query", "gallery", "both", "val", "", "gallery"]
    rows = [
        dict(file=name, pid=f"{i % 2 + 3}", camid=i % 3, time=i / 2, split=word, note="x")
        for i, (name, word) in enumerate(zip(names, words, strict=True))
    ]
    write(root / "own", rows)
    reader = ImageTable(str(root), "own")
    splits = reader.splits()
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 2, "query": 2, "gallery": 3,
    }  # fmt: skip
    query = splits["query"]
    assert query.paths == ("img/2.png", "img/4.png")
    assert query.identities.tolist() == [3, 3] and query.cameras.tolist() == [2, 1]
    assert query.times.tolist() == [1.0, 2.0]
    assert reader.notes == ["left out: 2 images of split val or of none"]


def test_names_as_identities_and_the_division(own):
    root, names = own
    rows = [dict(path=name, animal="ab"[i % 2]) for i, name in enumerate(names)]
    write(root / "own", rows)
    reader = ImageTable(str(root), "own", columns=dict(animal="identity"), seed=1)
    splits = reader.splits()
    assert {len(s) for s in splits.values()} == {1, 3, 4}
    assert any("names such as 'a'" in note for note in reader.notes)
    assert any("divided: 50% of the identities held out with seed 1" in n for n in reader.notes)
    sides = [Labels(s.identities, s.cameras) for s in (splits["query"], splits["gallery"])]
    assert len(match_labels(PROTOCOLS["market"], *sides).valid) == 1


@pytest.mark.parametrize("corners", [True, False])
def test_boxes_are_cut_out_when_read(tmp_path, write_images, corners):
    import cv2

    write_images(tmp_path / "own", ["frame.png"], 60, 80)
    box = (
        dict(x1=10, y1=20, x2=30, y2=50) if corners else dict(left=10, top=20, width=20, height=30)
    )
    rows = [dict(file="frame.png", identity=i, split="train", **box) for i in (1, 2)]
    write(tmp_path / "own", rows)
    split = ImageTable(str(tmp_path), "own").splits()["train"]
    assert split.boxes.tolist() == [[10, 20, 20, 30]] * 2
    batch = CropDataset(split, (30, 20))[0]
    whole = cv2.imread(str(tmp_path / "own/frame.png"))[..., ::-1]
    assert np.array_equal(batch.images[0].permute(1, 2, 0).numpy(), whole[20:50, 10:30])


def test_roles_of_open_metric_learning(own):
    root, names = own
    rows = [
        dict(label=i // 4, path=name, split="train" if i < 4 else "validation",
             is_query="" if i < 4 else i % 2 == 0, is_gallery="" if i < 4 else True)
        for i, name in enumerate(names)
    ]  # fmt: skip
    write(root / "own", rows)
    splits = ImageTable(str(root), "own").splits()
    assert {n: len(s) for n, s in splits.items()} == {"train": 4, "query": 2, "gallery": 4}


def test_parquet_and_csv_are_the_same(own):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    root, names = own
    rows = [dict(file=name, identity=i % 2 + 1, camera=i % 4) for i, name in enumerate(names)]
    write(root / "own", rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows), root / "own/crops.parquet")
    tables = ("crops.csv", "crops.parquet")
    both = [ImageTable(str(root), "own", table=table).splits() for table in tables]
    for name, split in both[0].items():
        assert split.fingerprint() == both[1][name].fingerprint()


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(file="../x.png"), "paths are relative to the data set's folder and stay in it"),
        (dict(file="/etc/passwd"), "paths are relative"),
        (dict(file="gone.png"), r"names gone.png, which is not in .* \(1 such files\)"),
        (dict(split="exam"), "split 'exam' of img/0.png; use "),
        (dict(x1="30", x2="30"), "row 1 has a box of 0 x 9 pixels"),
        (dict(x1="nan"), "must hold numbers; row 1 has 'nan'"),
        (dict(time="yesterday"), "row 1 has 'yesterday'; expected seconds, or a date"),
        (dict(identity=""), "has none"),
        (dict(identity="-1"), "is negative"),
    ],
)
def test_values_that_cannot_be_are_refused(own, change, reason):
    root, names = own
    box = dict(x1=0, y1=0, x2=9, y2=9)
    rows = [
        dict(file=name, identity="7", split="train", time="2024-05-31 16:20:05", **box)
        for name in names
    ]
    rows[0] |= change
    write(root / "own", rows)
    with pytest.raises(UserError, match=reason):
        ImageTable(str(root), "own").prepare()


def test_missing_tables_and_columns_are_named(own):
    root, names = own
    with pytest.raises(UserError, match="put a table of the crops there"):
        ImageTable(str(root), "own").prepare()
    write(root / "own", [dict(file=name, who=1) for name in names])
    with pytest.raises(UserError, match="no column 'identity'; it has: file, who"):
        ImageTable(str(root), "own").prepare()
    with pytest.raises(UserError, match="no column 'whom', which the option columns names"):
        ImageTable(str(root), "own", columns=dict(whom="identity")).prepare()
    write(root / "own", [dict(file=name, pid=1, label=2) for name in names])
    with pytest.raises(UserError, match="both mean identity"):
        ImageTable(str(root), "own").prepare()


def animals(root, names, words):
    rows = [
        dict(image_id=i, identity=["zebra", "unknown", "lion"][i % 3], path=name,
             date="2020-01-02", bbox="[1, 2, 8, 9]", split=words[i])
        for i, name in enumerate(names)
    ]  # fmt: skip
    if not any(words):
        rows = [{k: v for k, v in row.items() if k != "split"} for row in rows]
    write(root / "own", rows, "metadata.csv")


def test_wildlife_divides_animals_and_leaves_unknown_ones_out(own):
    root, names = own
    animals(root, names, [""] * 8)
    reader = Wildlife(str(root), "own")
    splits = reader.splits()
    assert sum(len(split) for split in splits.values()) == 5
    assert "left out: 3 images of unknown animals" in reader.notes
    assert splits["train"].boxes.tolist()[0] == [1, 2, 8, 9]
    assert splits["train"].times[0] == 1577923200.0


def test_wildlife_of_a_closed_set_asks_with_the_test_images(own):
    root, names = own
    animals(root, names, ["train"] * 5 + ["test"] * 3)
    reader = Wildlife(str(root), "own")
    splits = reader.splits()
    assert splits["query"].paths == ("img/5.png", "img/6.png")
    assert splits["gallery"].paths == splits["train"].paths
    sides = [Labels(s.identities, s.cameras) for s in (splits["query"], splits["gallery"])]
    assert len(match_labels(PROTOCOLS["market"], *sides).valid) == 2
