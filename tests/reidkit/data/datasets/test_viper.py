import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import CropDataset, VIPeR
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, RankingEvaluator

Crops = dict[int, list[np.ndarray]]  # identity -> RGB crops (H, W, 3)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def load(split, row: int) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(split.file(row))), cv2.COLOR_BGR2RGB)


def write_viper(root: Path, crops: Crops, numbers: list[int]) -> None:
    """Numbers of people as in the file names; the angle differs between the views."""
    for number, images in zip(numbers, crops.values(), strict=False):
        save(root / f"cam_a/{number:03d}_45.bmp", images[0])
        save(root / f"cam_b/{number:03d}_{90 + number % 2 * 45:02d}.bmp", images[1])


def ids(split):
    return split.identities.tolist()


def test_viper_pairs_by_number_and_reads_the_pixels(tmp_path, people):
    numbers = [0, 3, 4, 9, 20, 311]  # not contiguous, and 0 is a person
    write_viper(tmp_path / "viper/VIPeR", people, numbers)
    reader = VIPeR(str(tmp_path), split=None)
    query, gallery = reader.splits()["query"], reader.splits()["gallery"]
    assert list(reader.splits()) == ["query", "gallery"]  # nobody to learn from
    assert ids(query) == ids(gallery) == [1, 4, 5, 10, 21, 312]
    assert set(query.cameras) == {1} and set(gallery.cameras) == {2}
    assert query.paths[1].split("_")[-1] != gallery.paths[1].split("_")[-1]  # another angle
    for row, images in zip(range(6), people.values(), strict=False):
        assert np.array_equal(load(query, row), images[0])
        assert np.array_equal(load(gallery, row), images[1])
    assert CropDataset(query, (64, 32))[0].images.shape == (1, 3, 64, 32)
    swapped = VIPeR(str(tmp_path), split=None, query_view=2).splits()
    assert swapped["query"].paths == gallery.paths and swapped["gallery"].paths == query.paths


def test_viper_partitions_are_halves_that_are_stored(tmp_path, people):
    write_viper(tmp_path / "viper", people, [1, 2, 5, 7, 8, 9])
    halves = []
    for number in range(10):
        reader = VIPeR(str(tmp_path), split=number)
        reader.prepare()
        splits = reader.splits()
        train, test = set(ids(splits["train"])), set(ids(splits["query"]))
        assert len(train) == len(test) == 3 and not train & test
        assert ids(splits["gallery"]) == ids(splits["query"])
        assert sorted(ids(splits["train"])) == sorted(2 * sorted(train))  # both views
        assert list(splits["train"].paths) == sorted(splits["train"].paths)
        assert reader.trials() == [] and splits["train"].dataset == f"viper-{number}"
        halves.append(frozenset(test))
    assert len(set(halves)) > 1
    stored = json.loads((tmp_path / "viper/reidkit_splits_316.json").read_text())
    assert [frozenset(test) for test in stored["test"]] == halves
    trials = VIPeR(str(tmp_path), split=None).trials()
    assert [frozenset(np.array([2, 3, 6, 8, 9, 10])[t.query]) for t in trials] == halves
    with pytest.raises(UserError, match=r"VIPeR: split=10, but .* has partitions 0 to 9"):
        VIPeR(str(tmp_path), split=10).prepare()


def test_viper_refuses_unpaired_people(tmp_path, people):
    write_viper(tmp_path / "viper", people, [1, 2, 5])
    image = people[next(iter(people))][0]
    save(tmp_path / "viper/cam_b/009_45.bmp", image)
    with pytest.raises(UserError, match="person 009 has an image in one view only"):
        VIPeR(str(tmp_path)).prepare()
    save(tmp_path / "viper/cam_b/009_90.bmp", image)
    with pytest.raises(UserError, match="cam_b has several images of person 009"):
        VIPeR(str(tmp_path)).prepare()
    save(tmp_path / "viper/cam_a/me.bmp", image)
    with pytest.raises(UserError, match=r"cam_a/me.bmp: the name does not tell the person"):
        VIPeR(str(tmp_path)).prepare()


def test_viper_at_full_size_ranks_316_in_each_of_ten_trials(tmp_path, people, random_sides):
    tiny = [images[0][:8, :4] for images in people.values()]
    full = {i: [tiny[i % len(tiny)]] * 2 for i in range(632)}
    write_viper(tmp_path / "viper", full, list(range(1, 633)))
    VIPeR(str(tmp_path), check_counts="always").prepare()
    reader = VIPeR(str(tmp_path), split=None, check_counts="always")
    splits = reader.splits()
    result = RankingEvaluator(topk=(1, 5, 10, 20)).evaluate(
        *random_sides(splits["query"], splits["gallery"]), EuclideanMatcher(True),
        protocol=reader.protocol, trials=reader.trials(),
    )  # fmt: skip
    assert result.n_trials == 10 and result.n_gallery == 316
    assert result.n_valid == result.n_query  # nobody is skipped
    assert 0 <= result.metrics["R1"] < 0.05  # random embeddings
