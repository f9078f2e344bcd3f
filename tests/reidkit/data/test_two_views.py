"""VIPeR and GRID in their true structure, made of SynthPed crops and read back as written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reidkit.data import CUHK01, CUHK03, GRID, CropDataset, VIPeR
from reidkit.data.datasets.partitions import Partition, random_partitions
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, RankingEvaluator
from reidkit.structures import Embedding
from reidkit.testing.fakes import labelled

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


def write_grid(root: Path, crops: Crops, pairs: int, distractors: int, partitions: int = 10):
    """Both images of person 2 are named after one camera; returns the training people."""
    from scipy.io import savemat

    people = list(crops.values())
    for number in range(1, pairs + 1):
        images = people[number % len(people)]
        save(root / f"probe/{number:04d}_1_00004_107_32_106_221.jpeg", images[0])
        camera = 1 if number == 2 else 2
        save(root / f"gallery/{number:04d}_{camera}_00010_10_32_60_121.jpeg", images[1])
    for number in range(distractors):
        name = f"gallery/0000_{number % 8 + 1}_{number:05d}_1_2_33_66.jpeg"
        save(root / name, people[number % len(people)][0][:32, :16])
    rng = np.random.default_rng(0)
    train = [np.sort(rng.permutation(pairs)[: pairs // 2] + 1) for _ in range(partitions)]
    # each of the ten entries is a struct whose third field lists the training people
    entry = [("features", object), ("labels", object), ("trainIdx", object)]
    cells = np.empty((1, partitions), object)
    for number, ids in enumerate(train):
        struct = np.empty((1, 1), entry)
        struct[0, 0] = (np.zeros((2, 3)), np.zeros((1, 1)), ids[None].astype(np.float64))
        cells[0, number] = struct
    savemat(root / "features_and_partitions.mat", {"trainIdxAll": cells, "features": np.eye(2)})
    return train


def ids(split):
    return split.identities.tolist()


def random_sides(query, gallery, dims=8, seed=0):
    random = torch.Generator().manual_seed(seed)
    both = (query, gallery)
    return labelled([Embedding(torch.randn(len(s), 2, dims, generator=random)) for s in both], both)


# -- VIPeR ----------------------------------------------------------------------------------------
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


def test_stored_partitions_come_first_and_must_fit(tmp_path, people):
    write_viper(tmp_path / "viper", people, [1, 2, 5, 7])
    file = tmp_path / "viper/reidkit_splits_316.json"
    file.write_text(json.dumps({"people": [2, 3, 6, 8], "test": [[6, 8], [2, 3]]}))
    assert ids(VIPeR(str(tmp_path), split=1).splits()["query"]) == [2, 3]
    save(tmp_path / "viper/cam_a/010_00.bmp", people[next(iter(people))][0])
    save(tmp_path / "viper/cam_b/010_45.bmp", people[next(iter(people))][0])
    with pytest.raises(UserError, match=r"partitions of 4 people, but the data set has others \(5"):
        VIPeR(str(tmp_path)).prepare()
    file.write_text("{}")
    with pytest.raises(UserError, match="no stored partitions"):
        VIPeR(str(tmp_path)).prepare()


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


def test_viper_at_full_size_ranks_316_in_each_of_ten_trials(tmp_path, people):
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


# -- GRID -----------------------------------------------------------------------------------------
def test_grid_reads_its_partitions_and_keeps_distractors_in_the_gallery(tmp_path, people):
    stored = write_grid(tmp_path / "grid/underground_reid", people, pairs=8, distractors=5)
    for number, expected in enumerate(stored):
        splits = GRID(str(tmp_path), split=number).splits()
        assert sorted(set(ids(splits["train"]))) == expected.tolist()
        assert len(splits["train"]) == 8 and 0 not in ids(splits["train"])
        assert sorted(ids(splits["query"])) == sorted(set(range(1, 9)) - set(expected.tolist()))
        assert len(splits["gallery"]) == 4 + 5 and ids(splits["gallery"]).count(0) == 5
    trials = GRID(str(tmp_path), split=None).trials()
    assert [len(t.query) for t in trials] == [4] * 10
    assert [len(t.gallery) for t in trials] == [9] * 10


def test_grid_does_not_lose_a_match_to_the_camera_rule(tmp_path, people):
    write_grid(tmp_path / "grid", people, pairs=4, distractors=3)  # person 2: one camera twice
    splits = GRID(str(tmp_path), split=None).splits()
    query, gallery = splits["query"], splits["gallery"]
    sides = random_sides(query, gallery)
    result = RankingEvaluator().evaluate(*sides, EuclideanMatcher(True))
    assert result.n_valid == 4 and result.per_query["n_positives"].tolist() == [1] * 4


def test_grid_at_full_size_ranks_900(tmp_path, people):
    tiny = {i: [image[:8, :4] for image in images] for i, images in people.items()}
    write_grid(tmp_path / "grid", tiny, pairs=250, distractors=775)
    reader = GRID(str(tmp_path), check_counts="always")
    reader.prepare()
    assert len(reader.splits()["gallery"]) == 900 and len(reader.splits()["query"]) == 125


def test_grid_refuses_what_would_spoil_it(tmp_path, people):
    root = tmp_path / "grid"
    write_grid(root, people, pairs=4, distractors=1)
    image = people[next(iter(people))][0]
    save(root / "probe/0000_1_00001_1_2_3_4.jpeg", image)
    with pytest.raises(UserError, match="probe/ has images of identity 0000"):
        GRID(str(tmp_path)).prepare()
    (root / "probe/0000_1_00001_1_2_3_4.jpeg").unlink()
    save(root / "probe/0009_1_00001_1_2_3_4.jpeg", image)
    with pytest.raises(UserError, match="person 0009 has a probe and no gallery image"):
        GRID(str(tmp_path)).prepare()
    (root / "probe/0009_1_00001_1_2_3_4.jpeg").unlink()
    write_grid(tmp_path / "other", people, pairs=2, distractors=1)
    (tmp_path / "other/features_and_partitions.mat").replace(root / "features_and_partitions.mat")
    with pytest.raises(UserError, match="partition 0 of trainIdxAll lists no half of the 4 people"):
        GRID(str(tmp_path)).prepare()
    (root / "features_and_partitions.mat").write_bytes(b"no mat")
    with pytest.raises(UserError, match="trainIdxAll cannot be read"):
        GRID(str(tmp_path)).prepare()


# -- all of them
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
