"""Options that train backwards, or not at all, are refused before anything starts."""

from __future__ import annotations

import pytest

from reidkit.config import ConfigError, prepare_config
from reidkit.config.ranges import RANGES, RESIZES, Bounds
from reidkit.data import decode

WRONG = {
    "train.epochs": [0, -3, 1.5],
    "train.batch_size": [0, -8],
    "train.accumulate": [0, -1],
    "train.checkpoint_every": [0, -1],
    "train.eval_every": [-1],
    "train.clip_grad": [-1, 0, "'x'", "float('inf')", "float('nan')"],
    "train.layer_decay": [0, 1.5, -0.5, "'x'"],
    "train.optimizer.lr": [0, -0.1, "float('nan')", "float('inf')"],
    "train.optimizer.weight_decay": [-1e-4, "float('nan')"],
    "train.optimizer.momentum": [-0.1, 1, 2],
    "train.schedule.milestones": [[], [0], [-4, 8], 3, [1.5]],
    "train.schedule.gamma": [0, -0.1, 10],
    "+train.schedule.warmup": [-1],
    "+train.schedule.start": [0, 2],
    "train.lr_mult": [{"backbone.*": -1}, {"*": "inf"}],
    "train.decay_mult": [{"*.bias": -1}],
    "train.loss_mult": [{"id": -1}],
    "model.losses.id.weight": [-1, "float('nan')", "float('inf')"],
    "input.size": [(0, 0), (64, -1), (256, 128, 3), (64,), (64.5, 32)],
    "input.resize": ["nope"],
    "evaluation.topk": [[0], [], [1, -5]],
    "+evaluation.bootstrap": [-1, 100_000_000_000],
    "settings.workers": [-1],
    "settings.seed": [-5, 2**32],
}
BASE = [
    "train.schedule=dict(type='step',milestones=[4],gamma=0.1)",
    "train.optimizer=dict(type='SGD',lr=0.1,momentum=0.9,weight_decay=5e-4)",
]
CASES = [(key, value) for key, values in WRONG.items() for value in values]


def refused(*overrides: str) -> list[str]:
    try:
        prepare_config("eanet/pcb", [*BASE, *overrides])
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("key, value", CASES, ids=[f"{k}={v}" for k, v in CASES])
def test_a_value_that_cannot_be_is_refused_once_with_key_and_value(key, value):
    add, name = key[:1] == "+", key.lstrip("+")
    (text,) = refused(f"{'+' if add else ''}{name}={value}")
    assert text.startswith(f"{name}") and "expected" in text


@pytest.mark.parametrize(
    "override",
    [
        "train.epochs=1", "train.eval_every=0", "train.clip_grad=None", "train.clip_grad=0.5",
        "train.layer_decay=1", "train.optimizer.momentum=0", "train.optimizer.weight_decay=0",
        "train.lr_mult={'backbone.*': 0}", "train.decay_mult={'*.bias': 0.0}",
        "train.schedule.milestones=[400]",  # a short trial of a long recipe
        "input.size=(64,32)", "input.resize=pil", "evaluation.topk=[1]", "settings.workers=0",
    ],
)  # fmt: skip
def test_bounds_themselves_are_fine(override):
    assert refused(override) == []


def test_the_words():
    assert refused("train.clip_grad=-1") == [
        "train.clip_grad (command line): expected a number above 0 or None, got -1"
    ]
    assert refused("train.epochs=0") == [
        "train.epochs (command line): expected a whole number of at least 1, got 0"
    ]


def test_a_stage_is_looked_at_too():
    (text,) = refused("train.stages=dict(a=dict(),b=dict(optimizer=dict(lr=-1)))")
    assert text.startswith("train.stages.b.optimizer.lr")


def test_losses_that_all_weigh_nothing():
    (text,) = refused("model.losses.id.weight=0")
    assert text.startswith("model.losses: every loss has weight 0")


def test_every_default_is_within_its_bounds():
    cfg = prepare_config("eanet/pcb").to_dict()
    for path, bounds in RANGES.items():
        node = cfg
        for key in path:
            node = node.get(key, None) if isinstance(node, dict) else None
        assert node is None or bounds.problem(node) == "", path


def test_nothing_but_finite_numbers_fits():
    wrong = (True, None, "1", [1], float("inf"), float("nan"), 1j)
    assert all(Bounds(-10).problem(value) for value in wrong)


def test_ways_to_resize_are_those_of_the_decoder():
    assert RESIZES == decode.RESIZES
