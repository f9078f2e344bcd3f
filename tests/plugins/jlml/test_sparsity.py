"""Values, gradients and proximal operators of structured sparsity (acceptance checks 5 and 6)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidkit_plugins.jlml.losses import ElementLasso, ExclusiveGroupLasso, GroupLasso
from reidkit_plugins.jlml.sparsity import (
    column_norms,
    exclusive_group_lasso,
    group_lasso,
    prox_exclusive_group_lasso,
    prox_group_lasso,
    share_off,
    stripe_shares,
)

SMALL = torch.tensor([[1.0, 2.0], [2.0, 0.0]])


def layer(seed=0, shape=(5, 3, 4)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_of_the_specification():
    assert group_lasso(SMALL).item() == pytest.approx(4.236068, abs=1e-5)
    assert exclusive_group_lasso(SMALL[:, :, None]).item() == 9  # groups of one entry
    assert exclusive_group_lasso(SMALL[:, None]).item() == 13  # one group per row
    assert exclusive_group_lasso(SMALL[:, None], "stripe").item() == 25  # one group in all


def test_values_by_loops():
    weight = layer()
    columns = sum(weight[:, s, c].square().sum().sqrt() for s in range(3) for c in range(4))
    assert group_lasso(weight).item() == pytest.approx(columns.item(), abs=1e-4)
    groups = sum(weight[o, s].abs().sum() ** 2 for o in range(5) for s in range(3))
    assert exclusive_group_lasso(weight).item() == pytest.approx(groups.item())
    stripes = sum(weight[:, s].abs().sum() ** 2 for s in range(3))
    assert exclusive_group_lasso(weight, "stripe").item() == pytest.approx(stripes.item())


def test_scale_at_the_start():
    """Weights N(0, 0.01) at full size: R_G about 116, R_L about 8.5e3."""
    torch.manual_seed(0)
    assert group_lasso(torch.randn(512, 1, 512) * 0.01).item() == pytest.approx(116, rel=0.01)
    local = exclusive_group_lasso(torch.randn(512, 4, 256) * 0.01).item()
    assert local == pytest.approx(8.5e3, rel=0.02)


@pytest.mark.parametrize("norm", [group_lasso, exclusive_group_lasso])
def test_gradients_match_finite_differences(norm):
    weight = layer() + torch.where(layer() > 0, 0.1, -0.1)  # away from 0
    assert torch.autograd.gradcheck(norm, weight.requires_grad_(), eps=1e-7)


def test_gradients_are_finite_at_zero():
    for norm in (group_lasso, exclusive_group_lasso):
        weight = layer().float()
        weight[:, 1, 2] = 0
        norm(weight.requires_grad_()).backward()
        assert weight.grad.isfinite().all() and weight.grad[:, 1, 2].eq(0).all()
        zero = torch.zeros(2, 2, 2, requires_grad=True)
        norm(zero).backward()
        assert zero.grad.eq(0).all()


def test_half_precision_is_computed_in_float32():
    weight = torch.full((4, 4, 256), 10.0)  # (2560)^2 is beyond fp16
    for norm in (group_lasso, exclusive_group_lasso):
        assert norm(weight.half()).item() == pytest.approx(norm(weight).item())


def test_proximal_operators_of_the_specification():
    columns = torch.tensor([[3.0, 0.3], [4.0, 0.4]])
    torch.testing.assert_close(
        prox_group_lasso(columns, 1.0), torch.tensor([[2.4, 0.0], [3.2, 0.0]])
    )
    group = torch.tensor([[[3.0, 1.0]]])
    assert torch.equal(prox_exclusive_group_lasso(group, 0.5), torch.tensor([[[1.5, 0.0]]]))


@pytest.mark.parametrize(
    "norm, prox", [(group_lasso, prox_group_lasso),
                   (exclusive_group_lasso, prox_exclusive_group_lasso),
                   (lambda w: exclusive_group_lasso(w, "stripe"),
                    lambda w, t: prox_exclusive_group_lasso(w, t, "stripe"))],
)  # fmt: skip
@given(seed=st.integers(0, 10**6), amount=st.floats(0.01, 2.0))
def test_proximal_operators_are_minimisers(norm, prox, seed, amount):
    weight = layer(seed)
    found = prox(weight, amount)
    assert found.shape == weight.shape

    def objective(x):
        return amount * norm(x) + (x - weight).square().sum() / 2

    best = objective(found)
    for other in (weight, torch.zeros_like(weight), weight * 0.5):
        assert best <= objective(other) + 1e-5
    for trial in range(5):  # and against its neighbours
        step = layer(seed + trial + 1) * 1e-2
        assert best <= objective(found + step) + 1e-5


@given(seed=st.integers(0, 10**6), amount=st.floats(0.01, 50.0))
def test_no_exclusive_group_dies(seed, amount):
    weight = layer(seed)
    found = prox_exclusive_group_lasso(weight, amount)
    assert found.abs().sum(2).gt(0).all()
    largest = weight.abs().argmax(2, keepdim=True)
    assert found.gather(2, largest).ne(0).all()
    assert prox_exclusive_group_lasso(weight, 0.0).equal(weight)


def test_subgradients_alone_select_nothing():
    """Check 6: every column of W_G shrinks at the same rate, no group of W_L reaches zero."""
    weight = layer(shape=(64, 1, 32)).requires_grad_()
    start = column_norms(weight).detach()
    for _ in range(20):
        (grad,) = torch.autograd.grad(group_lasso(weight), weight)
        weight.data -= 0.05 * grad
    torch.testing.assert_close(start - column_norms(weight), torch.full_like(start, 1.0))
    local = layer().requires_grad_()
    for _ in range(50):
        (grad,) = torch.autograd.grad(exclusive_group_lasso(local), local)
        local.data -= 1e-3 * grad
    assert local.abs().sum(2).gt(0).all()


@pytest.mark.parametrize("proximal", [False, True])
def test_inputs_that_are_noise_lose_their_columns(proximal):
    torch.manual_seed(0)
    inputs, count = 16, 12  # the last four are noise
    truth = torch.randn(8, count)
    x = torch.randn(256, inputs)
    y = x[:, :count] @ truth.T + 0.1 * torch.randn(256, 8)
    weight = (0.1 * torch.randn(8, inputs)).requires_grad_()
    for _ in range(300):
        fit = (x @ weight.T - y).square().mean()
        loss = fit if proximal else fit + 0.05 * group_lasso(weight)
        (grad,) = torch.autograd.grad(loss, weight)
        weight.data -= 0.1 * grad
        if proximal:
            weight.data = prox_group_lasso(weight.data, 0.1 * 0.05)
    norms = column_norms(weight[:, None])[0]
    assert norms[count:].max() < 0.2 * norms[:count].min()
    assert norms[count:].eq(0).all().item() is proximal  # exact zeros come from the proximal step


def test_how_much_was_selected():
    weight = torch.zeros(2, 2, 3)
    weight[:, 0] = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.05, 0.0]])
    weight[0, 1, 0] = 3.0
    assert share_off(weight) == pytest.approx(4 / 6)
    assert stripe_shares(weight).tolist() == pytest.approx([1.05 / 4.05, 3 / 4.05])
    assert column_norms(weight)[0, 1].item() == pytest.approx(0.05)


def test_losses_take_their_layer_by_name():
    weights = {"global": SMALL[:, None], "local": SMALL[:, None]}
    assert GroupLasso("global")(weights).item() == pytest.approx(4.236068, abs=1e-5)
    assert ExclusiveGroupLasso("local")(weights).item() == 13
    assert ExclusiveGroupLasso("local", "stripe")(weights).item() == 25
    assert ElementLasso("local")(weights).item() == 5
    with pytest.raises(ValueError, match="the head has no layer 'middle'; it has: global, local"):
        GroupLasso("middle")(weights)
    with pytest.raises(ValueError, match="group must be one of"):
        ExclusiveGroupLasso("local", "row")
