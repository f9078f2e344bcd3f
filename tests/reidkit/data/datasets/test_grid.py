from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import GRID
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, RankingEvaluator

Crops = dict[int, list[np.ndarray]]  # identity -> RGB crops (H, W, 3)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


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


@pytest.mark.slow
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


def test_grid_does_not_lose_a_match_to_the_camera_rule(tmp_path, people, random_sides):
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


@pytest.mark.slow
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
    with pytest.raises(UserError, match="no readable array 'trainIdxAll'"):
        GRID(str(tmp_path)).prepare()
