"""Formulas against slow ones, the trace of the ramps, the styles of the teacher."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit_plugins.dgnet.losses import (
    PUBLISHED,
    Term,
    discriminator_gan,
    generator_gan,
    l1,
    read_terms,
    teaching,
)
from reidkit_plugins.dgnet.teacher import STYLES, target


def test_trace_of_the_ramps():
    """As released: 0.0005 an iteration after 30,000; head 2 at 0.2 of the primary weight."""
    primary, code = PUBLISHED["primary"], PUBLISHED["structure_code"]
    trace = {0: 0, 30_000: 0, 31_000: 0.5, 32_000: 1.0, 34_000: 2.0, 34_001: 2.0, 99_999: 2.0}
    assert {t: primary(t) for t in trace} == pytest.approx(trace)
    assert [code(t) for t in (30_000, 31_000, 32_000, 34_000)] == [0.0, 0.5, 1.0, 1.0]
    for t in range(29_000, 36_000, 250):
        assert PUBLISHED["fine"](t) == pytest.approx(0.2 * primary(t))
        assert PUBLISHED["id_fine"](t) == pytest.approx(0.2 * primary(t))
        assert PUBLISHED["cycle"](t) == pytest.approx(primary(t))
        assert PUBLISHED["appearance_code"](t) == code(t)
    constant = ("self_recon", "same_recon", "gan", "id", "id_positive", "id_composite")
    assert [PUBLISHED[n](0) for n in constant] == [5.0, 5.0, 1.0, 1.0, 1.0, 0.5]


def test_a_term_without_ramp_jumps():
    assert [Term(3.0, 5)(t) for t in (4, 5, 6)] == [0.0, 3.0, 3.0]
    with pytest.raises(ValueError, match="at least 0"):
        Term(-1.0)


def test_terms_of_a_config():
    read = read_terms({"fine": {"weight": 0.0}, "cycle": {"start": 7}})
    assert read["fine"].weight == 0 and read["cycle"] == Term(2.0, 7, 4_000)
    assert read["gan"] == PUBLISHED["gan"]
    with pytest.raises(ValueError, match="no term 'fin'; terms: self_recon"):
        read_terms({"fin": {}})
    with pytest.raises(ValueError, match=r"has no \['wieght'\]"):
        read_terms({"fine": {"wieght": 1.0}})


def test_gan_at_balance():
    """D = 0.5 everywhere: 3.0 for D and for the generator, over three scales and two sides."""
    half = [torch.full((2, 1, 8, 4), 0.5) for _ in range(3)]
    assert 2 * discriminator_gan(half, half) == 3.0
    assert 2 * generator_gan(half) == 3.0


def test_l1_has_a_target_without_gradient():
    made, aim = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3, requires_grad=True)
    l1(made, aim).backward()
    assert made.grad is not None and aim.grad is None


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_teaching_is_the_divergence_from_the_teacher(seed):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 5, generator=random)
    q = torch.randn(4, 5, generator=random).mul(3).softmax(1)
    p = logits.softmax(1)
    slow = sum(
        float(q[n, c] * torch.log(q[n, c] / p[n, c])) for n in range(4) for c in range(5)
    ) / 4  # fmt: skip
    assert teaching(logits, q).item() == pytest.approx(slow, abs=1e-5)
    assert teaching(q.log(), q).abs() < 1e-6  # a perfect student


def test_one_hot_teaching_is_cross_entropy():
    logits, identity = torch.randn(4, 5), torch.tensor([1, 0, 4, 2])
    soft = torch.randn(4, 5).softmax(1)
    hot = target("appearance", soft, identity, identity.flip(0))
    expected = torch.nn.functional.cross_entropy(logits, identity)
    assert teaching(logits, hot).item() == pytest.approx(expected.item(), rel=1e-5)


def test_styles():
    soft = torch.tensor([[0.5, 0.3, 0.2, 0.0]])
    a, s = torch.tensor([1]), torch.tensor([2])
    rows = {style: target(style, soft, a, s)[0].tolist() for style in STYLES}
    assert rows["soft"] == pytest.approx([0.5, 0.3, 0.2, 0.0])
    assert rows["argmax"] == [1, 0, 0, 0] and rows["appearance"] == [0, 1, 0, 0]
    assert rows["uniform"] == [0.25] * 4
    assert rows["pair"] == pytest.approx([0, 0.6, 0.4, 0])
    same = target("pair", soft, a, a)[0].tolist()
    assert same == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="teacher style must be one of"):
        target("hard", soft, a, s)
