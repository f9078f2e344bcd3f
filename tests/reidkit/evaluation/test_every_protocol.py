"""Every protocol of whole rankings against one slow, obvious float64 reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation import (
    LabelledEmbeddings,
    Labels,
    PrecomputedMatcher,
    RankingEvaluator,
    RowIds,
)

PROTOCOLS = ["market", "cuhk03-np", "mars-official", "mars-minus-queries", "single-camera"]


def slow(protocol, table, people, cameras, queries, gallery):
    """(AP step, AP trapezoid, INP, first rank) per query, None if invalid; images are numbers."""
    if protocol == "mars-official":
        gallery = gallery + [q for q in queries if q not in gallery]
    if protocol == "mars-minus-queries":
        gallery = [g for g in gallery if g not in queries]
    out = []
    for q in queries:
        ranked = []
        for place, g in enumerate(gallery):
            if people[g] == -1:
                continue
            same = people[g] == people[q]
            if same and (g == q if protocol == "single-camera" else cameras[g] == cameras[q]):
                continue
            ranked.append((float(table[q][g]), place, bool(same and people[q] > 0)))
        hits = [hit for _, _, hit in sorted(ranked)]
        n = sum(hits)
        if not n:
            out.append(None)
            continue
        step = official = 0.0
        found = last = 0
        for i, hit in enumerate(hits, 1):
            if hit:
                before = found / (i - 1) if i > 1 else 1.0
                found, last = found + 1, i
                step += found / i / n
                official += (before + found / i) / 2 / n
        out.append((step, official, n / last, hits.index(True) + 1))
    return out


@st.composite
def worlds(draw):
    """A table of distances between numbered images, who and where they show, and two lists."""
    count = draw(st.integers(2, 16))
    ints = lambda low, high, n: draw(st.lists(st.integers(low, high), min_size=n, max_size=n))  # noqa: E731
    levels = draw(st.sampled_from([1, 4, 10_000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = rng.integers(0, levels + 1, (count, count)).astype(np.float32)
    queries = draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6, unique=True))
    gallery = ints(0, count - 1, draw(st.integers(1, 14)))  # duplicates and queries among them
    return table, ints(-1, 4, count), ints(0, 2, count), queries, gallery


def side(numbers, people, cameras, name):
    labels = Labels(
        [people[i] for i in numbers], [cameras[i] for i in numbers], [f"{i}.jpg" for i in numbers]
    )
    return LabelledEmbeddings(RowIds.arange(max(numbers) + 1)[numbers], labels, name)


class Numbered(PrecomputedMatcher):
    """The table's entry of two numbered images, whichever side they are on."""


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from(["drop", "zero"]))
def test_equal_to_the_slow_reference(protocol, world, invalid):
    table, people, cameras, queries, gallery = world
    if protocol == "mars-official":
        gallery = list(dict.fromkeys(gallery))
    wanted = slow(protocol, table, people, cameras, queries, gallery)
    valid = [row for row in wanted if row]
    sides = (
        side(queries, people, cameras, "query"),
        side(gallery, people, cameras, "gallery"),
    )
    evaluator = RankingEvaluator(protocol, topk=(1, 2, 5), invalid=invalid)
    if not valid:
        with pytest.raises(UserError):
            evaluator.evaluate(*sides, Numbered(table))
        return
    result = evaluator.evaluate(*sides, Numbered(table))
    divisor = len(queries) if invalid == "zero" else len(valid)
    for name, column in (("mAP", 0), ("mAP_official", 1), ("mINP", 2)):
        total = sum(row[column] for row in valid)
        assert result.metrics[name] == pytest.approx(total / divisor, rel=1e-12)
    for k in (1, 2, 5):
        hits = sum(row[3] <= k for row in valid)
        assert result.metrics[f"R{k}"] == pytest.approx(hits / divisor, rel=1e-12)
    assert [i for i, _ in result.invalid] == [i for i, row in enumerate(wanted) if row is None]
    for name, column in (("AP", 0), ("AP_official", 1), ("INP", 2), ("first_rank", 3)):
        found = [None if np.isnan(x) else x for x in result.per_query[name]]
        assert found == [None if row is None else pytest.approx(row[column]) for row in wanted]


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 1000))
def test_trials_are_means_of_the_slow_reference(world, seed):
    table, people, cameras, queries, gallery = world
    rng = np.random.default_rng(seed)
    trials = [
        Trial(
            np.sort(rng.permutation(len(queries))[:n]), np.sort(rng.permutation(len(gallery))[:m])
        )
        for n, m in ((len(queries), len(gallery)), (1, len(gallery)), (len(queries), 1))
    ]
    means = []
    for trial in trials:
        rows = slow(
            "market", table, people, cameras,
            [queries[i] for i in trial.query], [gallery[i] for i in trial.gallery],
        )  # fmt: skip
        valid = [row for row in rows if row]
        means.append(np.mean([row[0] for row in valid]) if valid else None)
    sides = side(queries, people, cameras, "query"), side(gallery, people, cameras, "gallery")
    if None in means:
        with pytest.raises(UserError):
            RankingEvaluator().evaluate(*sides, Numbered(table), trials=trials)
        return
    result = RankingEvaluator().evaluate(*sides, Numbered(table), trials=trials)
    assert result.metrics["mAP"] == pytest.approx(np.mean(means), rel=1e-12)
    assert result.spread["mAP"] == pytest.approx(np.std(means, ddof=1), abs=1e-12)


def test_torchmetrics_agrees_where_the_definitions_coincide():
    import torch
    from torchmetrics.functional import retrieval

    rng = np.random.default_rng(0)
    people = [1] + rng.integers(1, 4, 30).tolist()
    cameras = [0] + [1] * 30  # no junk
    table = np.zeros((31, 31), np.float32)
    table[0] = rng.permutation(31) / 31
    result = RankingEvaluator(topk=(1, 5)).evaluate(
        side([0], people, cameras, "query"),
        side(list(range(1, 31)), people, cameras, "gallery"),
        Numbered(table),
    )
    scores = torch.from_numpy(2 - table[0, 1:])  # above 0, or it would not count them
    truth = torch.tensor([p == 1 for p in people[1:]])
    ap = retrieval.retrieval_average_precision(scores, truth)
    assert result.metrics["mAP"] == pytest.approx(float(ap), abs=1e-6)
    for k in (1, 5):
        hit = retrieval.retrieval_hit_rate(scores, truth, top_k=k)
        assert result.metrics[f"R{k}"] == float(hit)
