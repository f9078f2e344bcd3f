"""The QAConv matcher against slow loops: symmetry, folding, blocks, permutations, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from reidkit.evaluation import blocks
from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.structures import Embedding
from reidkit_plugins.qaconv.matcher import QAConvMatcher
from reidkit_plugins.qaconv.matching import (
    best_matches,
    reference_scores,
    unit_cells,
    weighted_sums,
)


def maps(count, seed=0, channels=16, size=(6, 2)):
    generator = torch.Generator().manual_seed(seed)
    return Embedding(maps=torch.randn(count, channels, *size, generator=generator))


def shaken(size=(6, 2), seed=0, **options):
    """A matcher as after training: every weight and statistic is something."""
    torch.manual_seed(seed)
    matcher = QAConvMatcher(map_size=size, **options).eval()
    for norm in (matcher.norm, matcher.logit_norm):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    nn.init.uniform_(matcher.fc.weight, 0, 0.3)
    return matcher


def slow_scores(matcher, query, gallery):
    """One pair at a time, with the modules of the head."""

    def head(forward, backward):
        both = matcher.norm(torch.cat([forward, backward], 1).transpose(0, 1))[:, 0]
        if matcher.symmetric:
            logit = matcher.fc(both).sum()
        else:
            logit = matcher.fc(both.flatten())[0]
        return matcher.logit_norm(logit.view(1, 1))

    return reference_scores(*(unit_cells(side.maps) for side in (query, gallery)), head)


def test_the_head_has_197_parameters():
    matcher = QAConvMatcher(map_size=(24, 8))
    assert sum(p.numel() for p in matcher.parameters()) == 197
    assert torch.equal(matcher.fc.weight, torch.full((1, 192), 1 / 192))


def test_identical_maps_of_a_fresh_head_score_almost_two():
    matcher = QAConvMatcher(map_size=(6, 2)).eval()
    nn.init.zeros_(matcher.fc.bias)
    own = maps(1)
    assert matcher.scores(own, own).item() == pytest.approx(1.999981, abs=2e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_scores_against_the_slow_way(symmetric):
    matcher = shaken(symmetric=symmetric)
    query, gallery = maps(3, 1), maps(4, 2)
    with torch.no_grad():
        slow = slow_scores(matcher, query, gallery)
        torch.testing.assert_close(matcher.scores(query, gallery), slow, atol=1e-5, rtol=1e-5)
        distances = matcher(query, gallery)
    torch.testing.assert_close(distances, 1 - torch.sigmoid(slow / 10), atol=1e-6, rtol=1e-5)


def test_only_the_symmetric_head_does_not_care_who_asks():
    query, gallery = maps(5, 1), maps(7, 2)
    for symmetric in (True, False):
        matcher = shaken(symmetric=symmetric)
        with torch.no_grad():
            gap = (matcher.scores(query, gallery) - matcher.scores(gallery, query).T).abs().max()
            shortcut = matcher.scores(query, query) - matcher.scores(query, maps(5, 1))
        assert (gap < 1e-5) == symmetric
        assert shortcut.abs().max() < 1e-5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_folded_weights_give_the_eval_scores(seed, symmetric):
    matcher = shaken(seed=seed, symmetric=symmetric)
    generator = torch.Generator().manual_seed(seed)
    u, v = 2 * torch.rand(2, 3, 5, 12, generator=generator) - 1
    forward, backward, constant = matcher.folded()
    with torch.no_grad():
        folded = u @ forward + v @ backward + constant
        torch.testing.assert_close(folded, matcher.head(u, v), atol=1e-4, rtol=1e-4)


def test_running_statistics_do_not_change_the_ranking():
    matcher, other = shaken(), shaken()
    other.norm.running_var.mul_(7)
    other.logit_norm.running_mean.add_(3)
    query, gallery = maps(4, 1), maps(9, 2)
    assert torch.equal(matcher(query, gallery).argsort(1), other(query, gallery).argsort(1))


def test_a_negative_scale_turns_the_order_round():
    """``order`` sorts as ``compare`` does, whatever the sign of the learned factors."""
    matcher = shaken()
    matcher.logit_norm.weight.data.neg_()
    query, gallery = maps(3, 1), maps(8, 2)
    sides = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    with torch.no_grad():
        score = matcher.scores(query, gallery)
    assert torch.equal(matcher.order(*sides).argsort(1), (-score).argsort(1))


def test_train_mode_uses_the_block_and_eval_mode_does_not():
    matcher = shaken().train()
    query, gallery = maps(4, 1), maps(6, 2)
    nn.init.ones_(matcher.logit_norm.weight)
    nn.init.zeros_(matcher.logit_norm.bias)
    whole = matcher.scores(query, gallery).detach()
    assert whole.mean().abs() < 1e-5 and whole.std(unbiased=False) == pytest.approx(1, abs=1e-3)
    part = matcher.scores(query[:2], gallery)
    assert (part - whole[:2]).abs().max() > 0.01
    matcher.eval()
    whole, part = matcher.scores(query, gallery), matcher.scores(query[:2], gallery)
    assert (part - whole[:2]).abs().max() < 1e-5


@pytest.mark.parametrize(("q", "g"), [(1, 1), (3, 4), (65, 70), (2, 130)])
def test_blocks_of_any_size_agree(q, g):
    matcher = shaken()
    query, gallery = maps(q, 1), maps(g, 2)
    whole = matcher(query, gallery)
    with torch.no_grad():
        slow = 1 - torch.sigmoid(matcher.scores(query, gallery) / 10)
    torch.testing.assert_close(whole, slow, atol=1e-5, rtol=0)
    for rows, values in blocks(query, gallery, matcher, block_mb=1e-3, distances=True):
        torch.testing.assert_close(values, whole[rows], atol=1e-5, rtol=0)


def test_memory_follows_the_rule():
    """The similarities of all pairs would take 590 MB; a block of them takes 25."""
    from reidkit.bench.evaluation import extra_mb

    matcher = QAConvMatcher(map_size=(24, 8))
    sides = [matcher.prepare(maps(64, i, 8, (24, 8)), "query") for i in (1, 2)]
    matcher.order(sides[0][:1], sides[1])
    assert extra_mb(lambda: matcher.order(*sides)) < 64


def test_places_may_be_permuted_together_with_their_weights():
    matcher, order = shaken(), torch.randperm(12, generator=torch.Generator().manual_seed(1))
    query, gallery = maps(3, 1), maps(4, 2)

    def moved(side):
        return Embedding(maps=side.maps.flatten(2)[:, :, order].view_as(side.maps))

    with torch.no_grad():
        before = matcher.scores(query, gallery)
        matcher.fc.weight.copy_(matcher.fc.weight[:, order])
        torch.testing.assert_close(matcher.scores(moved(query), moved(gallery)), before)
        nn.init.constant_(matcher.fc.weight, 1 / 12)
        torch.testing.assert_close(
            matcher.scores(moved(query), gallery), matcher.scores(query, gallery)
        )


def test_one_cell_is_the_cosine_up_to_scale():
    matcher, cosine = shaken(size=(1, 1)), CosineMatcher()
    query, gallery = maps(4, 1, size=(1, 1)), maps(9, 2, size=(1, 1))
    flat = [Embedding(side.maps.flatten(1)[:, None]) for side in (query, gallery)]
    with torch.no_grad():
        score, near = matcher.scores(query, gallery).flatten(), -cosine(*flat).flatten()
    slope, intercept = np.polyfit(near.numpy(), score.numpy(), 1)
    np.testing.assert_allclose(slope * near.numpy() + intercept, score.numpy(), atol=1e-4)


def test_gradients_are_those_of_the_plain_way():
    torch.manual_seed(0)
    left, right = torch.randn(3, 5, 4), torch.randn(70, 6, 4)  # more than one tile
    weight = torch.randn(3, 70, 5)
    grads = []
    for way in (best_matches, lambda q, g: torch.einsum("qsc,grc->qgsr", q, g).max(3)):
        sides = [side.clone().requires_grad_() for side in (left, right)]
        values, at = way(*sides)
        (values * weight).sum().backward()
        grads.append((values, at, sides[0].grad, sides[1].grad))
    for ours, plain in zip(*grads, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-4)


def test_gradient_check_of_the_scores():
    torch.manual_seed(0)
    matcher = QAConvMatcher(map_size=(2, 2)).double()
    left, right = (torch.randn(3, 4, 2, 2, dtype=torch.float64) for _ in range(2))

    def scores(a, b):
        return matcher.scores(Embedding(maps=a), Embedding(maps=b))

    inputs = (left.requires_grad_(), right.requires_grad_())
    assert torch.autograd.gradcheck(scores, inputs)


def test_weighted_sums_need_no_common_size():
    torch.manual_seed(0)
    query, gallery = torch.rand(2, 3, 4, 1), torch.rand(5, 3, 2, 3)
    weights = torch.rand(4), torch.rand(6)
    scores = torch.einsum("qcs,gcr->qgsr", query.flatten(2), gallery.flatten(2))
    slow = scores.amax(3) @ weights[0] + scores.amax(2) @ weights[1]
    found = weighted_sums(query, gallery, weights, torch.empty(2, 5))
    torch.testing.assert_close(found, slow)


def test_a_full_shortlist_is_the_exact_ranking_and_a_short_one_keeps_its_order():
    query, gallery = maps(3, 1), maps(40, 2)
    exact = shaken()(query, gallery)
    everything = shaken(shortlist=40)(query, gallery)
    torch.testing.assert_close(everything, exact)
    matcher = shaken(shortlist=7)
    distances = matcher(query, gallery)
    sides = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    order = matcher.order(*sides).argsort(1)
    pooled = [nn.functional.normalize(unit_cells(side.maps).mean(1)) for side in (query, gallery)]
    near = (pooled[0] @ pooled[1].T).argsort(1, descending=True)
    for i in range(3):
        assert set(order[i, :7].tolist()) == set(near[i, :7].tolist())
        torch.testing.assert_close(distances[i, order[i, :7]], exact[i, order[i, :7]])
        assert (distances[i, order[i, 7:]] == 1).all()
        assert order[i, 7:].tolist() == near[i, 7:].tolist()


def test_bf16_products_rank_the_nearest_as_float32_does(monkeypatch):
    monkeypatch.setattr("reidkit_plugins.qaconv.matcher.has_bf16_units", lambda: True)
    query, gallery = maps(5, 1), maps(200, 2)
    exact = shaken()(query, gallery)
    found = shaken(products="bf16", refined=60)(query, gallery)
    nearest = exact.argsort(1)[:, :40]
    assert torch.equal(found.argsort(1)[:, :40], nearest)
    assert torch.equal(found.gather(1, nearest), exact.gather(1, nearest))
    torch.testing.assert_close(found, exact, atol=2e-3, rtol=0)
    unrefined = shaken(products="bf16", refined=0)(query, gallery)
    assert unrefined.dtype == torch.float32 and not torch.equal(unrefined, exact)
    with pytest.raises(ValueError, match="got 'fp16'"):
        QAConvMatcher(products="fp16")


def test_without_bf16_units_products_are_float32(monkeypatch):
    monkeypatch.setattr("reidkit_plugins.qaconv.matcher.has_bf16_units", lambda: False)
    query, gallery = maps(5, 1), maps(200, 2)
    with pytest.warns(UserWarning, match="no bf16 units; computed in float32"):
        found = shaken(products="bf16", refined=0)(query, gallery)
    assert torch.equal(found, shaken()(query, gallery))


def test_correspondences_add_up_to_the_score():
    matcher = shaken()
    query, gallery = maps(1, 1), maps(1, 2)
    found = matcher.correspondences(query, gallery)
    with torch.no_grad():
        score = matcher.scores(query, gallery).item()
    assert found.contribution.sum().item() + matcher.folded()[2] == pytest.approx(score, abs=1e-5)
    cells = [unit_cells(side.maps)[0] for side in (query, gallery)]
    for (a, b), alike in zip(found.pairs.tolist(), found.similarity.tolist(), strict=True):
        assert float(cells[0][a] @ cells[1][b]) == pytest.approx(alike, abs=1e-6)
        best = cells[0][a] @ cells[1].T, cells[1][b] @ cells[0].T
        assert b == int(best[0].argmax()) or a == int(best[1].argmax())
    assert (found.contribution.diff() <= 0).all()
    assert found.places(1)[0][0] == divmod(int(found.pairs[0, 0]), 2)


def test_wrong_embeddings_are_refused_in_words():
    matcher = QAConvMatcher(map_size=(6, 2))
    with pytest.raises(ValueError, match="^QAConvMatcher compares feature maps; the embedding has"):
        matcher(Embedding(torch.zeros(1, 1, 3)), maps(1))
    with pytest.raises(ValueError, match=r"built for maps of \(6, 2\), got \(2, 6\)$"):
        matcher(maps(1, size=(2, 6)), maps(1, size=(2, 6)))
    with pytest.raises(ValueError, match="got 2 and 1 images$"):
        matcher.correspondences(maps(2), maps(1))


def clutter_world(seed, people=60, parts=10, channels=32, size=(12, 4), noise=0.15):
    """People as part vectors at random cells of a map, everything else clutter; two views each."""
    random = np.random.default_rng(seed)
    bodies = random.standard_normal((people, parts, channels))
    sides = []
    for _ in range(2):
        cells = random.standard_normal((people, size[0] * size[1], channels))
        for person in range(people):
            where = random.permutation(size[0] * size[1])[:parts]
            cells[person, where] = bodies[person] + noise * random.standard_normal(
                (parts, channels)
            )
        maps = torch.from_numpy(cells).float().transpose(1, 2).reshape(people, channels, *size)
        sides.append(Embedding(maps=maps))
    return sides


def test_misaligned_parts_are_found_by_an_untrained_head_and_lost_by_pooling():
    matcher, rates = QAConvMatcher(map_size=(12, 4)), {"qaconv": [], "pooled": [], "aligned": []}
    for seed in range(5):
        sides = clutter_world(seed)
        pooled = [Embedding(unit_cells(side.maps).mean(1)[:, None]) for side in sides]
        aligned = [Embedding(unit_cells(side.maps).flatten(1)[:, None]) for side in sides]
        tables = dict(
            qaconv=matcher(*sides),
            pooled=CosineMatcher()(*pooled),
            aligned=CosineMatcher()(*aligned),
        )
        for name, table in tables.items():
            rates[name].append((table.argmin(1) == torch.arange(60)).float().mean().item())
    mean = {name: np.mean(values) for name, values in rates.items()}
    assert mean["qaconv"] > 5 * max(mean["pooled"], 1 / 60)
    assert mean["qaconv"] > 5 * max(mean["aligned"], 1 / 60)
