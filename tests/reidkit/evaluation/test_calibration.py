"""Probabilities of distances: against a curve that is known, and stored values as data."""

import numpy as np
import pytest
import torch

from reidkit.evaluation import CosineMatcher, EuclideanMatcher
from reidkit.evaluation.calibration import Calibration, calibrate, fit_calibration
from reidkit.structures import Embedding


def people(count=40, cameras=3, images=2, noise=0.4, seed=0):
    """Vectors around one centre per person, ``images`` in each camera."""
    random = np.random.default_rng(seed)
    ids = np.repeat(np.arange(1, count + 1), cameras * images)
    cams = np.tile(np.repeat(np.arange(cameras), images), count)
    centres = random.normal(size=(count + 1, 16))
    vectors = centres[ids] + noise * random.normal(size=(len(ids), 16))
    return Embedding(torch.tensor(vectors, dtype=torch.float32)[:, None]), ids, cams


@pytest.mark.parametrize("matcher", [CosineMatcher(), EuclideanMatcher()])
def test_probabilities_are_as_frequent_as_they_say(matcher):
    """Of the pairs of other people between cameras, in ten groups by probability."""
    calibration = calibrate(*people(120, noise=1.2), matcher)
    embedding, ids, cams = people(120, noise=1.2, seed=1)
    p = calibration.probability(matcher(embedding, embedding).numpy())
    across = cams[:, None] != cams
    p, same = p[across], (ids[:, None] == ids)[across]
    assert abs(p.mean() - same.mean()) < 0.3 * same.mean()
    for group in np.array_split(np.argsort(p), 10)[-2:]:
        assert abs(p[group].mean() - same[group].mean()) < 0.05
    assert calibration.images_per_camera == 2


def test_junk_and_distractors_take_no_part():
    embedding, ids, cams = people()
    usual = calibrate(embedding, ids, cams, CosineMatcher())
    more = calibrate(
        Embedding(torch.cat([embedding.vectors, torch.randn(7, 1, 16)])),
        np.append(ids, [-1] * 4 + [0] * 3),
        np.append(cams, [0] * 7),
        CosineMatcher(),
    )
    assert more == usual


def test_pairs_of_one_camera_take_no_part():
    embedding, ids, cams = people()
    several = calibrate(embedding, ids, cams, CosineMatcher())
    assert several.positives == 40 * 12  # four pairs for each two of three cameras
    single = calibrate(embedding, ids, np.zeros_like(cams), CosineMatcher())
    assert single.positives == 40 * 15 and single.images_per_camera == 6


def test_nothing_to_compare_is_no_calibration():
    embedding, ids, cams = people(count=3)
    one_each = np.unique(ids, return_index=True)[1]
    assert calibrate(embedding[one_each], ids[one_each], cams[one_each], CosineMatcher()) is None
    alone = ids == 1
    assert calibrate(embedding[alone], ids[alone], cams[alone], CosineMatcher()) is None


def test_the_same_seed_gives_the_same_curve():
    first, second = (calibrate(*people(), CosineMatcher(), seed=3) for _ in range(2))
    assert first == second


def test_distances_the_wrong_way_round_say_nothing():
    rng = np.random.default_rng(0)
    d = rng.random(1000)
    slope, _ = fit_calibration(d, d > 0.5)  # far pairs are of one person
    assert slope == 0


@pytest.mark.parametrize(
    "content",
    [
        dict(slope=1.0),
        dict(slope="1", intercept=0.0, images_per_camera=1.0, positives=1, negatives=1),
        dict(slope=float("nan"), intercept=0.0, images_per_camera=1.0, positives=1, negatives=1),
        dict(slope=-1.0, intercept=0.0, images_per_camera=1.0, positives=1, negatives=1),
        dict(slope=True, intercept=0.0, images_per_camera=1.0, positives=1, negatives=1),
    ],
)
def test_stored_values_that_cannot_be_are_refused(content):
    with pytest.raises(ValueError, match="calibration"):
        Calibration.of(content)


def test_pairs_without_a_finite_distance_are_refused():
    with pytest.raises(ValueError, match="finite"):
        fit_calibration([0.1, np.nan], [True, False])
    with pytest.raises(ValueError, match="two people"):
        fit_calibration([0.1, 0.2], [True, True])
