"""Corrected labels: applied by every reader, refused where they are of other data."""

import numpy as np
import pytest
import simplejpeg

from reidkit.data.corrections import (
    FILE,
    Correction,
    apply_corrections,
    read_corrections,
    write_corrections,
)
from reidkit.data.datasets.image_folder import ImageFolder
from reidkit.data.split import Split
from reidkit.errors import UserError

ROWS = [Correction(1, 2, "query", "1/c1_0.jpg"), Correction(3, -1, "gallery", "3/c2_1.jpg"),
        Correction(4, 1)]  # fmt: skip


def splits():
    paths = tuple(f"{i}/c{c}_{c - 1}.jpg" for i in range(1, 5) for c in (1, 2))
    ids, cams = np.repeat(np.arange(1, 5), 2), np.tile([1, 2], 4)
    return {name: Split("toy", name, "toy", paths, ids, cams) for name in ("query", "gallery")}


def test_a_table_comes_back_as_written(tmp_path):
    write_corrections(tmp_path / FILE, ROWS)
    assert read_corrections(tmp_path / FILE) == ROWS


def test_images_then_identities():
    fixed = apply_corrections(splits(), ROWS)
    assert fixed["query"].identities.tolist() == [2, 1, 2, 2, 3, 3, 1, 1]
    assert fixed["gallery"].identities.tolist() == [1, 1, 2, 2, 3, -1, 1, 1]
    assert splits()["query"].fingerprint() != fixed["query"].fingerprint()


@pytest.mark.parametrize(
    "row, words",
    [
        (Correction(2, 3, "query", "1/c1_0.jpg"), "has identity 1, not 2"),
        (Correction(1, 3, "query", "9.jpg"), "has no image 9.jpg"),
        (Correction(1, 3, "train", "1/c1_0.jpg"), "has no image"),
        (Correction(77, 3), "no image of identity 77"),
    ],
)
def test_rows_of_other_data_are_refused(row, words):
    with pytest.raises(UserError, match=words):
        apply_corrections(splits(), [row])


@pytest.mark.parametrize("line", ["query,,1,2", ",,1,x", ",,1,-5", "a,b,1.5,2"])
def test_cells_that_are_none(line, tmp_path):
    (tmp_path / FILE).write_text(f"split,file,identity,corrected\n{line}\n")
    with pytest.raises(UserError, match="line 2"):
        read_corrections(tmp_path / FILE)


def test_readers_apply_the_table_beside_the_images(tmp_path):
    for split in ("train", "query", "gallery"):
        for person in ("0001", "0002"):
            folder = tmp_path / "mine" / split / person
            folder.mkdir(parents=True)
            for camera in (1, 2):
                crop = np.full((8, 4, 3), camera, np.uint8)
                (folder / f"c{camera}.jpg").write_bytes(simplejpeg.encode_jpeg(crop))
    before = ImageFolder(str(tmp_path), "mine", camera=r"c(\d)").splits()
    path = before["gallery"].paths[0]
    identity = int(before["gallery"].identities[0])
    write_corrections(tmp_path / "mine" / FILE, [Correction(identity, -1, "gallery", path)])
    reader = ImageFolder(str(tmp_path), "mine", camera=r"c(\d)")
    assert reader.splits()["gallery"].identities[0] == -1
    assert (reader.splits()["train"].identities == before["train"].identities).all()
    assert any("1 images" in note for note in reader.notes)
    assert reader.as_labelled["gallery"].identities[0] == identity
