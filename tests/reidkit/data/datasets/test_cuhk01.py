from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import CUHK01
from reidkit.errors import UserError

Crops = dict[int, list[np.ndarray]]  # identity -> RGB crops (H, W, 3)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def write_cuhk01(root: Path, crops: Crops) -> None:
    for number, images in enumerate(crops.values(), 1):
        for image in range(4):
            save(root / f"campus/{number:04d}{image + 1:03d}.png", images[image % len(images)])


@pytest.mark.slow
def test_cuhk01_views_partitions_and_pooled_queries(tmp_path, people):
    write_cuhk01(tmp_path / "cuhk01", people)
    reader = CUHK01(str(tmp_path), test_people=2, split=3)
    reader.prepare()
    splits = reader.splits()
    assert len(splits["query"]) == len(splits["gallery"]) == 4  # two people, two images each
    assert len(splits["train"]) == 4 * (len(people) - 2)
    assert {p[-7:-4] for p in splits["query"].paths} == {"001", "002"}
    assert {p[-7:-4] for p in splits["gallery"].paths} == {"003", "004"}
    assert splits["multi_query"].paths == splits["query"].paths
    assert (tmp_path / "cuhk01/reidkit_splits_2.json").is_file()
    counts = CUHK01(str(tmp_path)).counts
    assert counts["train"] == (1940, 485) and counts["query"] == (972, 486)
    assert CUHK01(str(tmp_path), test_people=100).counts["train"] == (3484, 871)
    save(tmp_path / "cuhk01/campus/0001005.png", people[next(iter(people))][0])
    with pytest.raises(UserError, match="images of a person are numbered 001 to 004"):
        CUHK01(str(tmp_path)).prepare()
