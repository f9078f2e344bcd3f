"""Arms differ in what their names say, and the published recipe is the one that is known."""

from pathlib import Path

import pytest

from reidkit.config import check_config, load_config, stage_configs
from reidkit.registry import MODELS
from reidkit.testing.supply import fake_supply

FOLDER = Path(__file__).parents[3] / "configs" / "jlml"
SPARSE = {"sparse_global", "sparse_local"}
ARMS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def load(name, *overrides):
    cfg = load_config(f"jlml/{name}", overrides)
    assert [str(problem) for problem in check_config(cfg)] == []
    return cfg


@pytest.mark.parametrize("recipe", ["quick", "paper"])
@pytest.mark.parametrize("name", ARMS)
def test_losses_fit_the_branches_and_nothing_is_shrunk_twice(name, recipe):
    cfg = load(name, f"recipe={recipe}")
    model = cfg.model
    built = MODELS.build(
        model.to_dict(), fake_supply("models", num_identities=3, input_size=(64, 32))
    )
    sparse = {role: one.loss.layer for role, one in model.losses.items() if role in SPARSE}
    assert set(sparse.values()) <= set(built.backbone.branches)
    branches = len(built.backbone.branches)
    assert len(model.losses) - len(sparse) == (branches if built.head.classifier is None else 1)
    assert all(model.losses[role].weight == 5e-4 for role in sparse)
    proximal = cfg.hooks.get("proximal")
    assert not (sparse and proximal)
    assert bool(sparse or proximal) is (name != "no_sparsity")
    decay = cfg.train.decay_mult["head.branches.*.feature.weight"]
    assert decay == (1.0 if name == "no_sparsity" else 0.0)


def test_arms_differ_from_the_method_in_what_their_names_say():
    full = load("jlml").model.to_dict()
    shared = load("no_sharing").model.to_dict()
    assert shared["backbone"].pop("share_depth") == "none" and shared == full
    assert (
        load("no_sparsity").model.to_dict() == full and "proximal" not in load("no_sparsity").hooks
    )
    subgradient = load("subgradient").model.to_dict()
    assert set(subgradient["losses"]) >= SPARSE
    assert {k: v for k, v in subgradient["losses"].items() if k not in SPARSE} == full["losses"]
    published = [load(name, "recipe=paper").model.to_dict() for name in ("jlml", "subgradient")]
    assert published[0] == published[1]
    first, second = stage_configs(load("late_concat"))
    assert first.train["freeze"] != second.train["freeze"]


def test_published_recipe():
    cfg = load("jlml", "recipe=paper", "data=market1501")
    assert tuple(cfg.input.size) == (224, 224) and cfg.model.head.dim == 512
    train = cfg.train
    assert (train.batch_size, train.optimizer.lr, train.optimizer.momentum) == (32, 0.01, 0.9)
    assert train.sampler.type == "ShuffleSampler" and train.lr_mult == {}
    steps = 12_936 // train.batch_size
    assert abs(train.epochs * steps - 50_000) < 2 * steps
    assert [round(m * steps, -3) for m in train.schedule.milestones] == [20_000, 40_000]
    assert list(cfg.model.transforms.train) == ["normalize"]  # no augmentation
    network = MODELS.build(
        cfg.model.to_dict(), fake_supply("models", num_identities=751, input_size=(224, 224))
    )
    assert sum(p.numel() for p in network.parameters()) == 6_963_454


@pytest.mark.parametrize("matcher", ["jlml/L1Matcher", "CosineMatcher", "EuclideanMatcher"])
def test_distances_are_an_override(matcher):
    assert load("jlml", f"model.matcher={matcher}").model.matcher.type == matcher
