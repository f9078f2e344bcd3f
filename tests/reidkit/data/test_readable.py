"""Damaged files are known before anything is trained."""

import os

import numpy as np
import pytest

from reidkit.data import Split, check_readable
from reidkit.errors import UserError


@pytest.fixture
def split(tmp_path, write_images):
    names = [f"p{i}/{i}.{ending}" for i, ending in enumerate(["jpg", "png", "bmp", "webp", "tif"])]
    write_images(tmp_path, names)
    return Split("toy", "query", tmp_path, tuple(names), np.ones(5), np.ones(5))


def test_whole_files_pass_and_each_is_looked_at_once(split):
    twice = split.select([0, 0, 1, 2, 3, 4])
    assert check_readable(split) == check_readable(twice) == 5
    assert check_readable(split, most=2) == 2


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "gone", "folder", "pipe"])
def test_every_damage_is_named(split, row, damage):
    path = split.file(row)
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage != "gone":
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 3], "text": b"hello"}[damage])
    with pytest.raises(UserError) as error:
        check_readable(split)
    text = str(error.value)
    assert text.startswith("toy/query: 1 of 5 images cannot be read, seen before anything")
    assert path.as_posix() in text
    reasons = {"empty": "the file is empty", "gone": "No such file", "folder": "directory"}
    assert reasons.get(damage, "") in text


def test_odd_but_whole_files_pass(split):
    path = split.file(0)
    path.write_bytes(path.read_bytes() + b"\0\0 trailing")  # the end is odd, so it is decoded
    assert check_readable(split) == 5


def test_frames_of_tracklets_are_looked_at_and_addresses_passed_over(tmp_path, write_images):
    from reidkit.data import TrackletSplit

    write_images(tmp_path, ["a/1.jpg", "a/2.jpg"])
    (tmp_path / "a/3.jpg").write_bytes(b"")
    frames = [["a/1.jpg", "a/2.jpg", "a/3.jpg"]]
    with pytest.raises(UserError, match="1 of 3 images"):
        check_readable(TrackletSplit.of("toy", "query", tmp_path, frames, [1], [1]))
    away = Split("toy", "query", tmp_path, ("s3://bucket/a.jpg",), [1], [1])
    assert check_readable(away) == 0
