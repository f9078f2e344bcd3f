"""Q and Q' against the table of the specification, loops, and what minimising each alone does."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidkit_plugins.drsa.losses import DiversityLoss, overlap, statistics
from reidkit_plugins.drsa.spatial import log_maps

K, L = 6, 32


def one_hot(cells):
    """Logarithms of maps (1, K, L) with all their mass on one cell each."""
    return torch.nn.functional.one_hot(torch.tensor([cells]), L).float().log()


def blocks(size=5):
    """K disjoint uniform blocks of neighbouring cells."""
    maps = torch.zeros(1, K, L)
    for k in range(K):
        maps[0, k, k * size : (k + 1) * size] = 1 / size
    return maps.log()


TABLE = [
    (torch.full((1, K, L), 1 / L).log(), 30.0, 5.660156),
    (one_hot([3] * K), 30.0, 30.0),
    (one_hot(range(K)), 0.0, 0.0),
    (blocks(), 0.0, 3.840),
]


@pytest.mark.parametrize(
    "maps, q, q_prime", TABLE, ids=["uniform", "same cell", "own cells", "own blocks"]
)
def test_table_of_the_specification(maps, q, q_prime):
    for penalty, value in (("Q", q), ("Q'", q_prime)):
        assert DiversityLoss(penalty, "frame_sq")(maps).item() == pytest.approx(value, abs=1e-4)


def test_pair_of_the_specification():
    pair = torch.tensor([[[0.5, 0.5, 0, 0], [0.5, 0.25, 0.25, 0]]])
    coefficient = (pair[0, 0] * pair[0, 1]).sqrt().sum()
    assert (1 - coefficient).item() == pytest.approx(0.1464466, abs=1e-6)
    assert overlap(pair.log()).item() == pytest.approx(1.4571068, abs=1e-6)
    assert overlap(pair.log(), power=1.0).item() == pytest.approx(0.9218750, abs=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(2, 12))
def test_q_is_twice_the_squared_coefficients_of_all_pairs(seed, parts, cells):
    logits = 3 * torch.randn(2, parts, cells, generator=torch.Generator().manual_seed(seed))
    maps = logits.double().softmax(2)
    for m, value in enumerate(overlap(maps.log())):
        total = 0.0
        for i in range(parts):
            for j in range(i + 1, parts):
                total += (
                    2
                    * sum(math.sqrt(a * b) for a, b in zip(maps[m, i], maps[m, j], strict=True))
                    ** 2
                )
        assert value.item() == pytest.approx(total, abs=1e-9)
        assert -1e-9 <= value.item() <= parts * (parts - 1) + 1e-9


@pytest.mark.parametrize("frames", [1, 6, 48])
def test_reductions_of_uniform_maps(frames):
    maps = torch.full((frames, K, L), 1 / L).log()
    assert DiversityLoss("Q", "frame_sqrt")(maps).item() == pytest.approx(5.4772, abs=1e-3)
    assert DiversityLoss("Q", "frame_sq")(maps).item() == pytest.approx(30.0, abs=1e-4)
    whole = DiversityLoss("Q", "batch_sqrt")(maps).item()
    assert whole == pytest.approx(math.sqrt(30 * frames), rel=1e-5)
    if frames == 48:
        assert whole == pytest.approx(37.947, abs=1e-3)


@pytest.mark.parametrize("penalty", ["Q", "Q'"])
@pytest.mark.parametrize("reduction", ["frame_sqrt", "frame_sq", "batch_sqrt"])
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bf16 autocast"])
def test_extreme_logits_give_finite_losses_and_gradients(penalty, reduction, autocast):
    source = torch.Generator().manual_seed(1)
    choice = torch.randint(0, 3, (8, K, 8, 4), generator=source)
    logits = torch.tensor([-200.0, 0.0, 200.0])[choice].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        given = logits.to(torch.bfloat16) if autocast else logits
        loss = DiversityLoss(penalty, reduction)(log_maps(given))
    loss.backward()
    assert loss.isfinite() and loss.dtype == torch.float32
    assert logits.grad.isfinite().all()


def test_equal_maps_are_a_saddle_of_q():
    """At equal maps, uniform or not, Q has no gradient: a head must not start there."""
    for row in (torch.zeros(L), torch.randn(L, generator=torch.Generator().manual_seed(0))):
        logits = row.expand(1, K, L).clone().double().requires_grad_()
        overlap(logits.log_softmax(2)).sum().backward()
        assert logits.grad.abs().max() < 1e-12


def minimised(power, steps=1500):
    """Mean effective size of the maps and Q after minimising one penalty alone."""
    source = torch.Generator().manual_seed(0)
    logits = torch.full((1, K, L), -3.0)
    for k in range(K):
        logits[0, k, 5 * k : 5 * (k + 1)] = 3.0
    logits = (logits + 0.3 * torch.randn(logits.shape, generator=source)).requires_grad_()
    start = statistics(logits.detach().log_softmax(2))["map_size"].item()
    assert start == pytest.approx(5.3, abs=0.25)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        overlap(logits.log_softmax(2), power).sum().backward()
        optimizer.step()
    maps = logits.detach().log_softmax(2)
    return statistics(maps)["map_size"].item(), overlap(maps).item()


@pytest.mark.slow
def test_q_alone_lets_maps_be_large_and_q_prime_makes_them_one_cell():
    size, left = minimised(0.5)
    assert left < 1e-3 and size > 3.5
    size, _ = minimised(1.0)
    assert size < 1.1


def test_statistics_against_loops():
    maps = torch.randn(3, 4, 10, generator=torch.Generator().manual_seed(2)).softmax(2)
    found = statistics(maps.log())
    pairs = [
        (maps[m, i] * maps[m, j]).sqrt().sum()
        for m in range(3)
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    sizes = [torch.exp(-(row * row.log()).sum()) for row in maps.flatten(0, 1)]
    assert found["overlap"].item() == pytest.approx(torch.stack(pairs).mean().item(), abs=1e-6)
    assert found["map_size"].item() == pytest.approx(torch.stack(sizes).mean().item(), abs=1e-5)
    assert statistics(torch.zeros(2, 1, 1))["overlap"] == 0


@pytest.mark.parametrize("option", [dict(penalty="R"), dict(reduction="sum")])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match="must be one of"):
        DiversityLoss(**option)
