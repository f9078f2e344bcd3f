"""A learned matcher's gradients are clipped separately."""

import pytest
import torch
from torch import nn

from reidkit.engine.optim import build_optim


def test_a_learned_matcher_is_clipped_on_its_own():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.matcher = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)

    model = Model()
    optim = build_optim(model, dict(optimizer=dict(type="SGD", lr=1.0), clip_grad=1.0))
    before = [p.detach().clone() for p in model.parameters()]
    model.body.weight.grad = torch.full((1, 1), 0.5)  # below the norm: stays
    model.matcher.weight.grad = torch.full((1, 1), 100.0)
    optim._clip_grad()
    optim.step()
    moved = [float(b - p.detach()) for b, p in zip(before, model.parameters(), strict=True)]
    assert moved == pytest.approx([0.5, 1.0], abs=1e-4)
