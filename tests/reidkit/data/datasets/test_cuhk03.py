"""CUHK03's .mat file, its twenty test sets, one gallery image a person."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import CUHK03
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, RankingEvaluator


def load(split, row: int) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(split.file(row))), cv2.COLOR_BGR2RGB)


def write_cuhk03(path: Path, pairs: dict[str, list[list[list]]], testsets: list[np.ndarray]):
    """``cuhk-03.mat`` as MATLAB writes version 7.3: cells of references, all axes reversed.

    Args:
        path: of the file.
        pairs: part -> camera pair -> person -> ten images (H, W, 3) or None for an empty cell.
        testsets: (people, 2) each: camera pair and person, from 1.
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        refs, count = file.create_group("#refs#"), 0

        def put(value: np.ndarray, kind: str, empty: bool = False):
            nonlocal count
            count += 1
            stored = refs.create_dataset(f"r{count}", data=value)
            stored.attrs["MATLAB_class"] = np.bytes_(kind)
            if empty:
                stored.attrs["MATLAB_empty"] = np.uint8(1)
            return stored.ref

        def cells(rows: list, shape: tuple[int, int]) -> np.ndarray:
            return np.array(rows, dtype=h5py.ref_dtype).reshape(shape)

        for part, people in pairs.items():
            outer = []
            for persons in people:
                inner = [
                    put(np.zeros(2, np.uint64), "double", True)
                    if image is None
                    else put(np.ascontiguousarray(image.T), "uint8")
                    for person in persons
                    for image in person
                ]
                outer.append(put(cells(inner, (len(persons), 10)).T, "cell"))
            file.create_dataset(part, data=cells(outer, (1, len(outer))))
        sets = [put(np.ascontiguousarray(rows.T).astype(np.float64), "double") for rows in testsets]
        file.create_dataset("testsets", data=cells(sets, (1, len(sets))))
    with open(path, "rb+") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))


def ids(split):
    return split.identities.tolist()


def cuhk03_people(crops, sizes, drop=()):
    """Camera pairs of people of ten cells; ``drop``: (pair, person, image) that are empty."""
    people = list(crops.values())
    return [
        [
            [
                None if (p + 1, n + 1, i + 1) in drop else people[(p + n) % len(people)][i % 4]
                for i in range(10)
            ]
            for n in range(size)
        ]
        for p, size in enumerate(sizes)
    ]


def test_cuhk03_reads_the_file_behind_gaps_and_repeated_numbers(tmp_path, people):
    # an empty cell before the last image of a view, a view that starts empty, empty last cells
    drop = {(1, 1, 2), (1, 1, 6), (2, 1, 4), (2, 1, 5), (5, 2, 10)}
    detected = cuhk03_people(people, (3, 2, 1, 1, 2), drop)
    labeled = cuhk03_people(people, (3, 2, 1, 1, 2))
    testsets = [np.array([[1, 2], [2, 1]]), np.array([[1, 1], [3, 1]])]
    parts = {"detected": detected, "labeled": labeled}
    write_cuhk03(tmp_path / "cuhk03/cuhk03_release/cuhk-03.mat", parts, testsets)
    reader = CUHK03(str(tmp_path), split=None)
    reader.prepare()
    query, gallery = reader.splits()["query"], reader.splits()["gallery"]
    assert len(query) + len(gallery) == 9 * 10 - len(drop)
    assert set(query.cameras) == {1} and set(gallery.cameras) == {2}  # in every pair
    assert sorted(set(ids(query))) == list(range(1, 10))  # person 1 of pair 2 is not person 1
    of_first = [
        p.rpartition("/")[2] for p, i in zip(query.paths, ids(query), strict=True) if i == 1
    ]
    assert of_first == [f"1_001_1_0{i}.png" for i in (1, 3, 4, 5)]
    row = query.paths.index("images_detected/2_001_1_03.png")
    assert ids(query)[row] == 4 and np.array_equal(load(query, row), detected[1][0][2])
    assert len(CUHK03(str(tmp_path), pairs=3, split=1).splits()["train"]) == 4 * 10 - 2
    whole = CUHK03(str(tmp_path), part="labeled", split=None)
    whole.prepare()
    assert len(whole.splits()["query"]) == 45 and whole.name == "cuhk03_labeled"


def test_cuhk03_test_sets_count_from_one_and_the_rest_is_learned(tmp_path, people):
    testsets = [np.array([[1, 2], [2, 1]]), np.array([[1, 1], [3, 1]])]
    file = tmp_path / "cuhk03/cuhk-03.mat"
    write_cuhk03(file, {"detected": cuhk03_people(people, (3, 2, 1, 1, 2))}, testsets)
    for number, test in enumerate(({2, 4}, {1, 6})):
        reader = CUHK03(str(tmp_path), split=number)
        reader.prepare()
        splits = reader.splits()
        assert set(ids(splits["query"])) == set(ids(splits["gallery"])) == test
        assert set(ids(splits["train"])) == set(range(1, 10)) - test
        assert set(splits["train"].cameras) == {1, 2}
    file.unlink()  # what is unpacked is enough
    assert len(CUHK03(str(tmp_path), split=None).trials()) == 2
    with pytest.raises(UserError, match="partitions 0 to 1"):
        CUHK03(str(tmp_path), split=2).prepare()


@pytest.mark.slow
def test_cuhk03_single_shot_gallery_holds_100(tmp_path, people, random_sides):
    tiny = {i: [image[:6, :4] for image in images] for i, images in people.items()}
    rng = np.random.default_rng(0)
    every = np.array([(p, n) for p in (1, 2) for n in range(1, 61)])
    testsets = [rng.permutation(every)[:100] for _ in range(20)]
    drop = {(p, n, i) for p, n in every.tolist() for i in range(1, 11) if i not in (1, 2, 6, 7)}
    parts = {"detected": cuhk03_people(tiny, (60, 60), drop)}
    write_cuhk03(tmp_path / "cuhk03/cuhk-03.mat", parts, testsets)
    reader = CUHK03(str(tmp_path), split=None)
    reader.prepare()
    query, gallery = reader.splits()["query"], reader.splits()["gallery"]
    trials = reader.trials()
    assert len(trials) == 20 and {
        len(np.unique(gallery.identities[t.gallery])) for t in trials
    } == {100}
    evaluator = RankingEvaluator(topk=(1, 100), single_shot="sampled", repeats=2)
    sides = random_sides(query, gallery)
    first, again = (
        evaluator.evaluate(*sides, EuclideanMatcher(True), protocol=reader.protocol, trials=trials)
        for _ in range(2)
    )
    assert first.protocol.startswith("cuhk03-single-shot") and first.n_trials == 20
    assert first.metrics == again.metrics and "mAP" not in first.metrics
    assert first.metrics["R100"] == 1.0  # nobody stands behind place 100
    assert first.n_valid == first.n_query


def test_cuhk03_refuses_another_file_and_missing_people(tmp_path, people, monkeypatch):
    file = tmp_path / "cuhk03/cuhk-03.mat"
    pairs = {"detected": cuhk03_people(people, (2, 1))}
    write_cuhk03(file, pairs, [np.array([[2, 2]])])
    with pytest.raises(UserError, match="there is no person 2 in camera pair 2"):
        CUHK03(str(tmp_path)).prepare()
    with pytest.raises(UserError, match=r"cuhk-03.mat: not the file of CUHK03 \(KeyError"):
        CUHK03(str(tmp_path), part="labeled").prepare()
    assert not (tmp_path / "cuhk03/images_labeled").exists()  # nothing half done
    with pytest.raises(UserError, match=r"CUHK03 \(labeled\): .*not unpacked yet"):
        CUHK03(str(tmp_path), part="labeled").splits()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="python -m pip install h5py"):
        CUHK03(str(tmp_path), part="labeled").prepare()
    with pytest.raises(UserError, match=r"CUHK03 \(detected\): not found in"):
        CUHK03(str(tmp_path / "nowhere")).prepare()
