"""Options that train backwards, or not at all, are refused before anything starts."""

from __future__ import annotations

import pytest

from reidkit.config import ConfigError, config_names, load_config, prepare_config
from reidkit.config.check import places_of
from reidkit.config.load import has_recipe
from reidkit.config.lookup import component_of
from reidkit.config.ranges import ANY, RANGES, RESIZES, Bounds, ranges_of
from reidkit.config.settings import known_settings
from reidkit.data import decode
from reidkit.plugin import load_plugins

WRONG = {
    "train.epochs": [0, -3, 1.5],
    "train.batch_size": [0, -8],
    "train.accumulate": [0, -1],
    "train.checkpoint_interval": [0, -1],
    "train.eval_interval": [-1],
    "train.clip_grad": [-1, 0, "'x'", "float('inf')", "float('nan')"],
    "train.layer_decay": [0, 1.5, -0.5, "'x'"],
    "train.freeze_layers": [-1, 1.5],
    "train.optimizer.lr": [0, -0.1, "float('nan')", "float('inf')", 10**400],
    "train.optimizer.weight_decay": [-1e-4, "float('nan')"],
    "train.optimizer.momentum": [-0.1, 1, 2],
    "train.schedule.milestones": [[], [0], [-4, 8], 3, [1.5]],
    "train.schedule.gamma": [0, -0.1, 10],
    "+train.schedule.warmup": [-1],
    "+train.schedule.start": [0, 2],
    "train.lr_mult": [{"backbone.*": -1}, {"*": "inf"}],
    "train.decay_mult": [{"*.bias": -1}],
    "train.loss_mult": [{"id": -1}],
    "model.losses.id.weight": [-1, "float('nan')", "float('inf')", 10**400],
    "input.size": [(0, 0), (64, -1), (256, 128, 3), (64,), (64.5, 32)],
    "input.resize": ["nope"],
    "evaluation.topk": [[0], [], [1, -5]],
    "+evaluation.bootstrap": [-1, 100_000_000_000],
    "settings.workers": [-1],
    "settings.max_pixels": [0, -5],
    "settings.eanet.confidence": [-0.1, 1.5, "float('nan')", 10**400],
    "model.head.dim": [0, -64],
    "model.backbone.depth": [0, -18],
    "model.backbone.width": [0, -8],
    "model.transforms.train.flip.p": [-0.1, 1.5, "float('nan')"],
    "model.transforms.train.normalize.std": ["(1,0,1)", "(1,1)", "(-1,1,1)"],
    "model.transforms.train.normalize.mean": ["(float('nan'),0,0)", "(0.5,)"],
    "+model.losses.id.loss.label_smoothing": [-0.1, 1.0, 3],
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
        "train.epochs=1", "train.eval_interval=0", "train.clip_grad=None", "train.clip_grad=0.5",
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


def numbers(node, path=()):
    """Paths of all numbers and lists of numbers of a config."""
    plain = isinstance(node, (int, float)) and not isinstance(node, bool)
    if plain or (isinstance(node, (list, tuple)) and node and all(map(is_number, node))):
        yield path
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, (*path, str(key)))
    elif isinstance(node, (list, tuple)):
        for place, value in enumerate(node):
            yield from numbers(value, (*path, str(place)))


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fits(pattern, path) -> bool:
    same = zip(pattern, path, strict=False)
    return len(pattern) == len(path) and all(a in ("*", b) for a, b in same)


def with_bounds(tree) -> list[tuple[str, ...]]:
    """Patterns of the keys that have bounds in a config: general ones, components', settings'."""
    patterns = [*RANGES, *(("train", "stages", "*", *p[1:]) for p in RANGES if p[0] == "train")]
    for place, kind, node in places_of(tree):
        component = component_of(kind, node["type"], tree["plugins"])
        own = ranges_of(kind.name, component)
        patterns += [(*place, *name.split(".")) for name in own]
    for node, settings in known_settings(tree["plugins"]).items():
        for name, setting in settings.items():
            if setting.low is not None:
                patterns.append(("settings", node, name) if node else ("settings", name))
    return patterns


@pytest.mark.slow
def test_every_number_of_every_shipped_config_has_bounds():
    """A number may be of any size only where ``ANY`` says so."""
    without, seen = set(), 0
    for name in config_names():
        for recipe in ("quick", "paper"):
            if has_recipe(name, recipe):
                tree = load_config(name, [f"recipe={recipe}"]).to_dict()
                load_plugins(tree["plugins"])
                patterns = with_bounds(tree)
                for path in numbers(tree):
                    seen += 1
                    if not any(fits(pattern, path) for pattern in patterns):
                        without.add(".".join(path))
    assert seen > 500 and not without, sorted(without)


def test_any_number_is_any_finite_one():
    assert [ANY.problem(one) for one in (-1e300, 0, 10**400)] == ["", "", ""]
    assert ANY.problem(float("inf")) == "expected a finite number, got inf"
