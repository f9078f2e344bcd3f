"""TLift against the vector of the spec, a slow loop, and worlds with and without true times."""

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher
from reidkit.evaluation.calibration import Calibration
from reidkit.evaluation.rerank.k_reciprocal import KReciprocal
from reidkit.structures import Embedding, ImageMeta
from reidkit_plugins.qaconv.matcher import QAConvMatcher
from reidkit_plugins.qaconv.tlift import TLift, tlift

TABLE = [[0.9, 0.1, 0.2], [0.3, 0.8, 0.1]]


def test_vector():
    lifted = tlift(TABLE, [0, 0], [0, 10], [0, 0, 0], [100, 110, 1000], k=2)
    wanted = [[1.078876, 0.119875, 0.04], [0.359625, 0.959001, 0.02]]
    np.testing.assert_allclose(lifted, wanted, atol=1e-6)
    apart = tlift(TABLE, [0, 0], [0, 500], [0, 0, 0], [100, 110, 1000], k=2)
    np.testing.assert_allclose(apart[0], [0.63, 0.069875, 0.14], atol=1e-6)


def slow(table, q_cams, q_times, g_cams, g_times, tau=100, sigma=200, k=10, alpha=0.2):
    out = np.zeros_like(table)
    for i in range(len(q_cams)):
        near = [
            a for a in range(len(q_cams))
            if q_cams[a] == q_cams[i] and abs(q_times[a] - q_times[i]) < tau
        ]  # fmt: skip
        for camera in set(g_cams):
            images = [x for x in range(len(g_cams)) if g_cams[x] == camera]
            entries = sorted((table[a, x] for a in near for x in images), reverse=True)
            limit = entries[k - 1] if len(entries) > k else entries[-1]
            pivots = [x for a in near for x in images if table[a, x] >= limit]
            for x in images:
                gaps = [g_times[x] - g_times[b] for b in pivots]
                weight = np.mean([np.exp(-((gap / sigma) ** 2)) for gap in gaps])
                assert 0 <= weight <= 1
                out[i, x] = (weight + alpha) * table[i, x]
    return out


def world(seed, queries=23, gallery=41):
    random = np.random.default_rng(seed)
    table = random.random((queries, gallery)).round(1)  # many ties
    sides = [
        (random.integers(0, 3, n), random.uniform(0, 1000, n).round()) for n in (queries, gallery)
    ]
    return table, *sides[0], *sides[1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 10, 500])
def test_against_a_slow_loop(seed, k):
    case = world(seed)
    np.testing.assert_allclose(tlift(*case, k=k), slow(*case, k=k), atol=1e-12)


def test_clocks_need_to_agree_only_within_a_camera():
    table, q_cams, q_times, g_cams, g_times = world(3)
    before = tlift(table, q_cams, q_times, g_cams, g_times)
    np.testing.assert_allclose(
        tlift(table, q_cams, q_times + 5000, g_cams, g_times + 5000), before, atol=1e-12
    )
    shifted = np.where(g_cams == 1, g_times + 777, g_times)
    np.testing.assert_allclose(tlift(table, q_cams, q_times, g_cams, shifted), before, atol=1e-12)
    shifted = np.where(q_cams == 2, q_times - 99, q_times)
    np.testing.assert_allclose(tlift(table, q_cams, shifted, g_cams, g_times), before, atol=1e-12)


def test_cameras_that_only_one_side_has():
    lifted = tlift(TABLE, [7, 8], [0, 10], [1, 1, 3], [100, 110, 1000])
    assert np.isfinite(lifted).all() and (lifted <= 1.2).all()


def arrivals(seed, people=200, groups=40, shuffled=False):
    """Groups walk from camera 0 to camera 1 in near-constant time; similarities are weak."""
    random = np.random.default_rng(seed)
    start = random.uniform(0, 20000, groups)[np.arange(people) % groups]
    q_times = start + random.normal(0, 5, people)
    g_times = start + 300 + random.normal(0, 10, people)
    if shuffled:
        g_times = random.permutation(g_times)
    logits = random.normal(0, 1, (people, people)) + 2.0 * np.eye(people)
    table = 1 / (1 + np.exp(-(logits - 3.5)))
    cameras = np.zeros(people, int)
    return table, cameras, q_times, cameras + 1, g_times


def quality(table):
    ranks = 1 + (table > table.diagonal()[:, None]).sum(1)
    return np.array([(ranks == 1).mean(), (1 / ranks).mean()])


def test_true_times_help_and_shuffled_ones_do_not():
    gains = {False: [], True: []}
    for seed in range(3):
        for shuffled in gains:
            case = arrivals(seed, shuffled=shuffled)
            gains[shuffled].append(quality(tlift(*case)) - quality(case[0]))
    assert (np.mean(gains[False], 0) > 0.03).all()
    assert (np.mean(gains[True], 0) < 0.005).all()


def test_wrong_input_is_refused_in_words():
    cameras, times = ([0, 0], [0, 0, 0]), ([0.0, 1.0], [0.0, 1.0, 2.0])
    with pytest.raises(UserError, match="these reach from -0.5 to 2"):
        tlift([[-0.5, 0, 0], [0, 0, 2]], cameras[0], times[0], cameras[1], times[1])
    with pytest.raises(UserError, match="^TLift needs the time of every image; 1 query images"):
        tlift(TABLE, cameras[0], [0.0, np.nan], cameras[1], times[1])
    with pytest.raises(ValueError, match="sigma and k must be above 0"):
        tlift(TABLE, cameras[0], times[0], cameras[1], times[1], k=0)
    with pytest.raises(ValueError, match=r"similarity is \(2, 3\), but cameras are \(2, 2\)"):
        tlift(TABLE, cameras[0], times[0], cameras[0], times[1])


def maps(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return Embedding(maps=torch.randn(count, 8, 3, 2, generator=generator))


SIGHTS = (
    ImageMeta(np.arange(6) % 2, np.arange(6) * 40.0),
    ImageMeta(np.arange(30) % 3, np.arange(30.0)),
)


def with_spread(matcher, query, gallery):
    """A calibration under which most of these pairs are strangers."""
    distances = matcher(query, gallery).numpy().astype(float)
    slope = 3 / distances.std()
    return Calibration(slope, slope * distances.mean() - 5, images_per_camera=2.0)


def test_as_a_step_after_a_calibrated_matcher_and_after_another_step():
    matcher = QAConvMatcher(map_size=(3, 2)).eval()
    matcher.logit_norm.bias.data.fill_(20)  # all logits positive: distances far below one half
    query, gallery = maps(6, 1), maps(30, 2)
    matcher.calibration = with_spread(matcher, query, gallery)
    similarity = matcher.calibration.probability(matcher(query, gallery).numpy())
    *sides, lifted = TLift(k=3).rerank(query, gallery, matcher, *SIGHTS)
    slowly = slow(similarity, SIGHTS[0].cameras, SIGHTS[0].times,
                  SIGHTS[1].cameras, SIGHTS[1].times, k=3)  # fmt: skip
    np.testing.assert_allclose(lifted(*sides).numpy(), 1.2 - slowly, atol=1e-4)
    *sides, ranked = KReciprocal(k1=5, k2=2).rerank(query, gallery, matcher, *SIGHTS)
    *sides, lifted = TLift(k=3).rerank(*sides, ranked, *SIGHTS)
    assert lifted(*sides).shape == (6, 30) and lifted.bounds == (0.0, 1.2)


def test_similarities_without_spread_are_refused():
    """1 - sigmoid(score / 10) of scores that differ by some units: time alone would rank."""
    matcher = QAConvMatcher(map_size=(3, 2)).eval()
    with pytest.raises(UserError, match="hardly differ .* so time alone would decide"):
        TLift().rerank(maps(6, 1), maps(30, 2), matcher, *SIGHTS)


def test_the_number_of_pivots_follows_from_the_data():
    """Two images of a person in a camera; within 100 s of each query three of its camera."""
    matcher = QAConvMatcher(map_size=(3, 2)).eval()
    query, gallery = maps(6, 1), maps(30, 2)
    matcher.calibration = with_spread(matcher, query, gallery)
    crowded = (
        ImageMeta(np.zeros(6), np.array([0.0, 10, 20, 1000, 1010, 1020])),
        ImageMeta(np.arange(30) % 3, np.arange(30) * 200.0),
    )
    results = [TLift(k=k).rerank(query, gallery, matcher, *crowded) for k in (None, 6, 2)]
    proposed, six, two = (lifted(*sides) for *sides, lifted in results)
    assert torch.equal(proposed, six) and not torch.equal(proposed, two)
    ranked = KReciprocal(k1=5, k2=2).rerank(query, gallery, matcher, *crowded)
    with pytest.raises(UserError, match="the published k=10"):
        TLift(k=None).rerank(*ranked, *crowded)


def test_re_ranking_does_not_turn_positive_logits_round():
    """Distances are 1 - sigmoid(score / 10): never negative, whatever the scores."""
    random = torch.Generator().manual_seed(0)
    people = torch.randn(20, 8, 3, 2, generator=random)
    sides = [
        Embedding(maps=people + 0.7 * torch.randn(people.shape, generator=random)) for _ in range(2)
    ]
    matcher = QAConvMatcher(map_size=(3, 2)).eval()
    matcher.logit_norm.bias.data.fill_(30)
    plain = (matcher(*sides).argmin(1) == torch.arange(20)).float().mean()
    assert matcher(*sides).min() >= 0 and plain > 0.6
    sights = ImageMeta([0] * 20), ImageMeta([1] * 20)
    *ranked, after = KReciprocal(k1=4, k2=2).rerank(*sides, matcher, *sights)
    assert (after(*ranked).argmin(1) == torch.arange(20)).float().mean() >= plain - 0.1


def test_pairs_side_by_side_are_the_diagonal():
    matcher = QAConvMatcher(map_size=(3, 2)).eval()
    sides = [matcher.prepare(maps(40, seed), "query") for seed in (1, 2)]
    torch.testing.assert_close(matcher.pairs(*sides), matcher.compare(*sides).diagonal())


def test_images_without_times_are_refused():
    one = Embedding(torch.ones(1, 1, 2))
    with pytest.raises(UserError, match="the query has none: its data set's file names tell no"):
        TLift().rerank(one, one, CosineMatcher(), ImageMeta([0]), ImageMeta([0]))


def test_equal_images_of_one_time_stay_equal_wherever_a_product_rounds(monkeypatch):
    product = np.matmul

    def by_place(left, right):
        values = product(left, right)
        return values * (1 + np.arange(values.shape[1]) % 5 * 1e-6)

    monkeypatch.setattr(np, "matmul", by_place)
    rng = np.random.default_rng(0)
    similarity = np.tile(rng.random((6, 10)), 3).astype(np.float32)
    times = np.tile(rng.permutation(10) * 50.0, 3)
    lifted = tlift(similarity, np.zeros(6), np.arange(6) * 60.0, np.zeros(30), times)
    for part in np.split(lifted, 3, axis=1):
        np.testing.assert_array_equal(part, lifted[:, :10])
    assert (np.diff(lifted[:, :10]) != 0).all()
