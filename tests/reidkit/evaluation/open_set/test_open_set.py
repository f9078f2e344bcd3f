"""Thresholds of searches for absent people: counted rates against galleries that are drawn."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher
from reidkit.evaluation.open_set import OpenSet, open_set
from reidkit.evaluation.open_set.counts import answers, distance_at, left_out, strangers_of
from reidkit.structures import Embedding


def people(count, noise=1.0, seed=0, cameras=3, images=2):
    """Vectors around one centre per person, ``images`` in each camera."""
    random = np.random.default_rng(seed)
    ids = np.repeat(np.arange(1, count + 1), cameras * images)
    cams = np.tile(np.repeat(np.arange(cameras), images), count)
    vectors = random.normal(size=(count + 1, 16))[ids] + noise * random.normal(size=(len(ids), 16))
    return Embedding(torch.tensor(vectors, dtype=torch.float32)[:, None]), ids, cams


@pytest.fixture(scope="module")
def known():
    return open_set(*people(80), CosineMatcher())


def drawn_galleries(known, size, count=400, table=0, mated=False):
    """Distance of the nearest person of random galleries, and whether it is the probe's own."""
    random = np.random.default_rng(5)
    probes = random.integers(len(known.owner), size=count)
    order = random.random((count, known.people))
    order[np.arange(count), known.owner[probes]] = -1 if mated else 2
    chosen = np.argpartition(order, size - 1, axis=1)[:, :size]
    values = known.distances[table, probes[:, None], chosen]
    nearest = chosen[np.arange(count), values.argmin(1)]
    return values.min(1), nearest == known.owner[probes]


def test_the_chance_that_the_nearest_are_left_out_is_counted():
    assert left_out(4, 2).round(6).tolist() == [1.0, 0.5, round(1 / 6, 6), 0.0, 0.0]
    assert left_out(4, 4).tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("size", [5, 30])
def test_drawn_galleries_answer_as_often_as_stated(known, size):
    distances, _ = drawn_galleries(known, size, 4000)
    for rate in (0.05, 0.3):
        threshold = known.threshold(rate, size)
        assert (distances <= threshold.value).mean() == pytest.approx(rate, rel=0.25)
        assert threshold.low <= threshold.value <= threshold.high


def test_the_rate_holds_for_other_people(known):
    other = open_set(*people(80, seed=9), CosineMatcher())
    threshold = known.threshold(0.1, 30)
    distances, _ = drawn_galleries(other, 30, 4000)
    assert (distances <= threshold.value).mean() == pytest.approx(0.1, rel=0.5)


def distances_of(count, seed, probes=2):
    """Distances (n, P) of probes to one image of each person, and whose probes they are."""
    random = np.random.default_rng(seed)
    centres, owner = random.normal(size=(count, 8)), np.repeat(np.arange(count), probes)
    asked = centres[owner] + 0.5 * random.normal(size=(len(owner), 8))
    enrolled = centres + 0.5 * random.normal(size=centres.shape)
    asked, enrolled = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, enrolled))
    return 1 - asked @ enrolled.T, owner


@pytest.mark.parametrize("size", [60, 79, 200, 500])
def test_the_rate_holds_for_galleries_as_large_as_the_people_calibrated_on_and_larger(size):
    rates, rate = [], 0.05
    for seed in range(12):
        threshold = distance_at(*distances_of(80, seed), size, rate)
        table, owner = distances_of(size + 1, seed + 100)
        rates.append((strangers_of(table, owner)[:, 0] <= threshold).mean())
    # twice to six times as many if a probe's own distances told what lies nearer than the nearest
    assert np.mean(rates) == pytest.approx(rate, rel=0.3)


@pytest.mark.parametrize("size", [30, 79, 200])
def test_answers_are_all_searches_and_as_often_right(size):
    values, rights = [], []
    for seed in range(8):
        distances, right, weights = answers(*distances_of(80, seed), size, mated=0.4)
        assert weights.sum() == pytest.approx(1.0)
        values.append(weights[distances <= 0.1].sum())
        rights.append(weights[right].sum())
    table, owner = distances_of(size + 1, 99, probes=20)
    own, strangers = table[np.arange(len(table)), owner], strangers_of(table, owner)
    nearest = np.minimum(own, strangers[:, 0])
    assert np.mean(rights) == pytest.approx(0.4 * (own < strangers[:, 0]).mean(), rel=0.15)
    drawn = 0.4 * (nearest <= 0.1).mean() + 0.6 * (strangers[:, 0] <= 0.1).mean()
    assert np.mean(values) == pytest.approx(drawn, rel=0.15)


@pytest.mark.parametrize("curve", ["isotonic", "logistic"])
def test_probabilities_are_as_frequent_as_they_say(known, curve):
    other = open_set(*people(80, seed=9), CosineMatcher())
    curve = known.probability(30, curve=curve)
    mates, right = drawn_galleries(other, 30, 3000, mated=True)
    absent, none = drawn_galleries(other, 30, 3000)
    p, y = curve(np.r_[mates, absent]), np.r_[right, none & False]
    groups = np.minimum((p * 10).astype(int), 9)
    error = sum(abs((p - y)[groups == g].sum()) for g in range(10)) / len(p)
    assert error < 0.06


def test_a_larger_gallery_needs_a_lower_threshold(known):
    values = [known.threshold(0.1, size).value for size in (1, 5, 30, 79, 400)]
    assert values == sorted(values, reverse=True) and len(set(values)) == 5
    assert [known.threshold(0.1, size).beyond for size in (79, 80)] == [False, True]
    assert known.threshold(0.1, 50, images=4).value < known.threshold(0.1, 50, images=1).value
    assert not known.threshold(0.001, 50).resolved and known.threshold(0.05, 30).resolved
    assert known.match_threshold(0.01).value == known.threshold(0.01, 1).value


def test_a_table_is_of_the_nearest_image_of_other_cameras():
    embedding, ids, cams = people(4)
    known = open_set(embedding, ids, cams, CosineMatcher())
    assert known.images.tolist() == [1, 2, 4] and known.across
    table = CosineMatcher()(embedding, embedding).numpy()
    order = np.random.default_rng(0).permutation(len(ids))
    for probe, row in enumerate(order[:24]):
        for person in range(4):
            usable = (ids == person + 1) & (cams != cams[row])
            assert known.distances[2, probe, person] == pytest.approx(
                table[row][usable].min(), abs=1e-6
            )


def test_nothing_to_compare_is_no_open_set():
    embedding, ids, cams = people(3)
    once = np.unique(ids, return_index=True)[1]
    assert open_set(embedding[once], ids[once], cams[once], CosineMatcher()) is None
    alone = ids == 1
    assert open_set(embedding[alone], ids[alone], cams[alone], CosineMatcher()) is None
    single = open_set(embedding, ids, np.zeros_like(cams), CosineMatcher())
    assert single is not None and not single.across


def test_files_are_read_as_data(known, tmp_path):
    known.save(tmp_path / "x.npz")
    back = OpenSet.read(tmp_path / "x.npz")
    assert back.threshold(0.1, 20) == known.threshold(0.1, 20)
    content = (tmp_path / "x.npz").read_bytes()
    for damaged in (content[:-40], b"no file", content.replace(b"owner", b"ownen")):
        (tmp_path / "y.npz").write_bytes(damaged)
        with pytest.raises(UserError, match="calibration"):
            OpenSet.read(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", distances=np.array([None]), owner=0, images=0, flags=0)
    with pytest.raises(UserError, match="not the distances"):
        OpenSet.read(tmp_path / "z.npz")
