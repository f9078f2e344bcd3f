"""Partitions of people: stored ones first, and none in both halves."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import CUHK01, CUHK03, VIPeR
from reidkit.data.datasets.partitions import Partition, random_partitions
from reidkit.errors import UserError

Crops = dict[int, list[np.ndarray]]  # identity -> RGB crops (H, W, 3)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def write_viper(root: Path, crops: Crops, numbers: list[int]) -> None:
    """Numbers of people as in the file names; the angle differs between the views."""
    for number, images in zip(numbers, crops.values(), strict=False):
        save(root / f"cam_a/{number:03d}_45.bmp", images[0])
        save(root / f"cam_b/{number:03d}_{90 + number % 2 * 45:02d}.bmp", images[1])


def ids(split):
    return split.identities.tolist()


def test_stored_partitions_come_first_and_must_fit(tmp_path, people):
    write_viper(tmp_path / "viper", people, [1, 2, 5, 7])
    file = tmp_path / "viper/reidkit_splits_316.json"
    file.write_text(json.dumps({"people": [2, 3, 6, 8], "test": [[6, 8], [2, 3]]}))
    assert ids(VIPeR(str(tmp_path), split=1).splits()["query"]) == [2, 3]
    save(tmp_path / "viper/cam_a/010_00.bmp", people[next(iter(people))][0])
    save(tmp_path / "viper/cam_b/010_45.bmp", people[next(iter(people))][0])
    with pytest.raises(UserError, match=r"partitions of 4 people, but the data set has others \(5"):
        VIPeR(str(tmp_path)).prepare()
    file.write_text(json.dumps({"people": [2, 3, 6, 8, 10], "test": [[10**30]]}))
    with pytest.raises(UserError, match="no stored partitions .*OverflowError"):
        VIPeR(str(tmp_path)).prepare()
    file.write_text("{}")
    with pytest.raises(UserError, match="no stored partitions"):
        VIPeR(str(tmp_path)).prepare()


def test_partitions_share_nobody():
    with pytest.raises(ValueError, match="identity 2 is in training and in test"):
        Partition(np.array([1, 2]), np.array([2, 3]))
    people = np.arange(1, 101)
    first, again = (random_partitions(people, 10, 50) for _ in range(2))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again, strict=True))
    with pytest.raises(ValueError, match="split must be the number of a partition"):
        VIPeR("data", split=-1)
    with pytest.raises(ValueError, match="query_view must be 1 or 2"):
        VIPeR("data", query_view=3)
    with pytest.raises(ValueError, match="part must be 'labeled' or 'detected'"):
        CUHK03("data", part="both")
    with pytest.raises(ValueError, match="pairs must be 1 to 5"):
        CUHK03("data", pairs=6)
    with pytest.raises(ValueError, match="test_people must be at least 1"):
        CUHK01("data", test_people=0)
