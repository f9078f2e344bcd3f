"""Equal images stand in gallery order, however the place in a product rounds.

Real products round by place on some processors only. Here all of them do, wherever distances come
from: each is off by some last bits that depend on its row and column.
"""

import numpy as np
import pytest
import torch

from reidkit.evaluation import (
    CosineMatcher,
    DatabaseAugmentation,
    EuclideanMatcher,
    KReciprocal,
    Labels,
    PrecomputedMatcher,
    QueryExpansion,
    RowIds,
    VisiblePartsMatcher,
    match_labels,
    rank_positives,
    single_shot_cmc,
    top_matches,
)
from reidkit.evaluation.metrics.camera_pairs import by_camera_pair
from reidkit.evaluation.metrics.verification import Verification
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking import prefilter, tiles
from reidkit.evaluation.rerank import neighbours
from reidkit.evaluation.rerank.neighbours import nearest
from reidkit.evaluation.rerank.reference import reference_neighbours
from reidkit.structures import Embedding, ImageMeta

MARKET = PROTOCOLS["market"]
DISTINCT, TIMES, N_QUERY = 70, 3, 40
METAS = ImageMeta(None), ImageMeta(None)


class Lopsided(CosineMatcher):
    """Distances that are not used both ways."""

    symmetric = False


MATCHERS = [CosineMatcher(), EuclideanMatcher(), VisiblePartsMatcher(), Lopsided()]


def off(*shape):
    """Factors near 1 that differ by place."""
    places = sum((7 + 6 * i) * n for i, n in enumerate(np.ogrid[tuple(map(slice, shape))]))
    return (1 + (places % 11 - 5) * 2.0**-22).astype(np.float32)


@pytest.fixture(autouse=True)
def rounding_by_place(monkeypatch):
    """Every product that evaluation uses, with last bits that depend on the place."""

    def rounded(function, module):
        def product(*args, **options):
            values = function(*args, **options)
            factors = off(*values.shape)
            values *= factors if module is np else torch.from_numpy(factors).to(values)
            return values

        return product

    for module, name in ((np, "matmul"), (np, "vecdot"), (torch, "mm"), (torch, "einsum")):
        monkeypatch.setattr(module, name, rounded(getattr(module, name), module))


@pytest.fixture(params=["tiles", "rows"])
def way(request, monkeypatch):
    """Megabytes of a block for tiles and for whole rows."""
    monkeypatch.setattr(tiles, "ROWS", 32)
    monkeypatch.setattr(tiles, "COLUMNS", 20)
    monkeypatch.setattr(neighbours, "STEP", 7)
    return 3000 * 4 / 2**20 if request.param == "tiles" else 4.0


def images(seed=0, parts=2):
    """N embeddings, each three times, in an order of their own; and which of them are equal."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((DISTINCT, parts, 8)).astype(np.float32)
    seen = rng.integers(1, 5, (DISTINCT, parts)).astype(np.float32) / 4
    which = rng.permutation(np.repeat(np.arange(DISTINCT), TIMES))
    return Embedding(torch.from_numpy(vectors[which]), torch.from_numpy(seen[which])), which


def exact(matcher, query, gallery, which):
    """Distances in which equal gallery images are equal, without rounding by place."""
    with pytest.MonkeyPatch.context() as plain:
        plain.setattr(np, "matmul", lambda a, b, out: np.copyto(out, a @ b))
        first = np.unique(which, return_index=True)[1]
        return matcher(query, gallery[torch.from_numpy(first)]).numpy()[:, which]


@pytest.fixture(params=MATCHERS, ids=lambda matcher: type(matcher).__name__)
def case(request):
    """Matcher, queries, gallery, their labels, truth, and distances."""
    gallery, which = images()
    query = images(1)[0][:N_QUERY]
    rng = np.random.default_rng(2)
    labels = (
        Labels(rng.integers(1, 8, N_QUERY), rng.integers(0, 3, N_QUERY)),
        Labels(rng.integers(-1, 8, len(which)), rng.integers(0, 3, len(which))),
    )
    truth = match_labels(MARKET, *labels)
    table = exact(request.param, query, gallery, which)
    return request.param, query, gallery, labels, truth, table


def test_ranks(case, way):
    matcher, query, gallery, _, truth, table = case
    in_tiles = tiles.tiled(gallery, matcher, way, len(truth.valid), DISTINCT)
    assert in_tiles == (way < 1)  # megabytes
    found = rank_positives(query, gallery, truth, matcher, way)
    places = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    wanted = rank_positives(*places, truth, PrecomputedMatcher(table))
    for name in ("ranks", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert (found.lowest < found.highest).any()  # there are ties


def test_verification(case, way):
    matcher, query, gallery, _, truth, _ = case
    seen = Verification(0.0, 10.0, 10**6)
    rank_positives(query, gallery, truth, matcher, way, truth.people, seen)
    values = np.unique(np.concatenate(seen.genuine))
    assert len(values) <= len(truth.people) * DISTINCT < seen.counts.sum() / 2


def test_top_matches(case, way):
    matcher, query, gallery, _, truth, table = case
    found, distances = top_matches(query, gallery, matcher, truth, 30, way)
    places = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    wanted, _ = top_matches(*places, PrecomputedMatcher(table), truth, 30)
    np.testing.assert_array_equal(found, wanted)
    assert (np.diff(distances) == 0).mean() > 0.3


def test_single_shot(case, way):
    matcher, query, gallery, labels, truth, table = case
    found = single_shot_cmc(query, gallery, truth, *labels, matcher, 10, way)
    places = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    wanted = single_shot_cmc(*places, truth, *labels, PrecomputedMatcher(table), 10)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_camera_pairs(case, way):
    from reidkit.evaluation import LabelledEmbeddings

    matcher, query, gallery, labels, _, table = case
    found = by_camera_pair(MARKET, *map(LabelledEmbeddings, (query, gallery), labels), matcher, way)
    places = RowIds.arange(len(query)), RowIds.arange(len(gallery))
    sides = map(LabelledEmbeddings, places, labels)
    assert found == by_camera_pair(MARKET, *sides, PrecomputedMatcher(table))


@pytest.mark.parametrize("k", [1, 4, 21, 500])
@pytest.mark.parametrize("matcher", MATCHERS, ids=lambda matcher: type(matcher).__name__)
def test_neighbours(matcher, k, way):
    both, which = images()
    wanted, distance = reference_neighbours(exact(matcher, both, both, which), k)
    found = nearest(both, matcher, k, way)
    np.testing.assert_array_equal(found.index.numpy(), wanted)
    np.testing.assert_allclose(found.distance.numpy(), distance, atol=1e-2)
    for row, index in zip(found.distance.numpy(), found.index.numpy(), strict=True):
        assert (np.diff(row)[which[index[1:]] == which[index[:-1]]] == 0).all()


@pytest.mark.parametrize("k", [1, 4, 21])
def test_neighbours_with_the_prefilter(k, way, monkeypatch):
    monkeypatch.setattr(
        neighbours, "bf16_prefilter", lambda of, matcher, _: prefilter.BF16Cosine(of, matcher)
    )
    both, which = images()
    wanted, _ = reference_neighbours(exact(CosineMatcher(), both, both, which), k)
    np.testing.assert_array_equal(nearest(both, CosineMatcher(), k, way).index.numpy(), wanted)


@pytest.mark.parametrize("keep_mb", [256, 0])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("matcher", MATCHERS[:3], ids=lambda matcher: type(matcher).__name__)
def test_k_reciprocal(matcher, across, keep_mb, way):
    both, which = images()
    if not across:  # no gallery image is equal to a query
        order = np.argsort(which >= N_QUERY // TIMES, kind="stable")
        both, which = both[torch.from_numpy(order)], which[order]
    n_query = N_QUERY // TIMES * TIMES
    step = KReciprocal(8, 3, block_mb=way, keep_mb=keep_mb)
    query, gallery, found = step.rerank(both[:n_query], both[n_query:], matcher, *METAS)
    table = exact(matcher, both, both, which)
    places = RowIds.arange(len(both))
    found_table = found(query, gallery).numpy()
    wanted = step.rerank(places[:n_query], places[n_query:], Table(table, matcher), *METAS)
    np.testing.assert_allclose(found_table, wanted[2](*wanted[:2]).numpy(), atol=2e-3)
    near, distance = step.search(both, matcher, n_query)
    every = torch.arange(len(both))
    for image in range(0, len(both), 9):  # of pairs in the lists and of others
        values = distance.of(torch.full_like(every, image), every).numpy()
        assert all(len(set(values[which == number])) == 1 for number in range(DISTINCT))
        np.testing.assert_array_equal(
            near.index[image], reference_neighbours(table[[image]], 9)[0][0]
        )
    if n_query:
        block = distance.block(torch.arange(n_query), None).numpy()
        for number in np.unique(which[n_query:]):
            assert (np.ptp(block[:, which[n_query:] == number], axis=1) == 0).all()


class Table(PrecomputedMatcher):
    """A table with the properties of another matcher's distances."""

    def __init__(self, table, matcher):
        super().__init__(table, across_only=False)
        self.bounds, self.squared = matcher.bounds, matcher.squared


def test_expansion(way):
    gallery, which = images()
    query = images(1)[0][:N_QUERY]
    for step in (QueryExpansion(5, block_mb=way), DatabaseAugmentation(5, block_mb=way)):
        query, gallery, matcher = step.rerank(query, gallery, CosineMatcher(), *METAS)
    for number in range(DISTINCT):
        same = gallery.vectors[torch.from_numpy(np.flatnonzero(which == number))]
        assert torch.equal(same, same[:1].expand_as(same))
