"""Every arm is a config, and the published recipe is the one that is known."""

from pathlib import Path

import pytest
import yaml

from reidkit.config import check_config, load_config
from reidkit.registry import MODELS

FOLDER = Path(__file__).parents[3] / "configs" / "jlml"
BOTH, SPARSE = {"id_global", "id_local"}, {"sparse_global", "sparse_local"}

# config -> branch, share_depth, loss of the head, roles
ARMS = {
    "jlml": ("joint", "conv1", "multi", BOTH | SPARSE),
    "global_only": ("global", "conv1", "multi", {"id", "sparse_global"}),
    "local_only": ("local", "conv1", "multi", {"id", "sparse_local"}),
    "uni_loss": ("joint", "conv1", "uni", {"id"} | SPARSE),
    "late_concat": ("joint", "none", "multi", BOTH | SPARSE),
    "no_sharing": ("joint", "none", "multi", BOTH | SPARSE),
    "no_sparsity": ("joint", "conv1", "multi", BOTH),
}


def load(name, *overrides):
    cfg = load_config(f"jlml/{name}", overrides)
    assert [str(problem) for problem in check_config(cfg)] == []
    return cfg


def test_every_config_is_an_arm():
    assert {p.stem for p in FOLDER.glob("[!_]*.py")} == set(ARMS)


@pytest.mark.parametrize("recipe", ["quick", "paper"])
@pytest.mark.parametrize("name", ARMS)
def test_arms(name, recipe):
    branch, share_depth, loss, roles = ARMS[name]
    model = load(name, f"recipe={recipe}").model
    made = MODELS.build(model.to_dict(), num_identities=3, input_size=(64, 32))
    assert set(made.backbone.branches) == ({"joint": {"global", "local"}}.get(branch, {branch}))
    assert bool(len(made.backbone.shared)) == (share_depth != "none")
    assert (made.head.classifier is not None) == (loss == "uni")
    assert set(model.losses) == roles
    for role, spec in model.losses.items():
        assert spec.get("weight", 1.0) == (5e-4 if role in SPARSE else 1.0)
    assert made.head.feature_decay == (not roles & SPARSE)  # never shrunk twice
    assert model.matcher.type == "EuclideanMatcher" and model.matcher.normalize


def test_published_recipe():
    cfg = load("jlml", "recipe=paper", "data=market1501")
    assert tuple(cfg.input.size) == (224, 224) and cfg.model.head.dim == 512
    train = cfg.train
    assert (train.batch_size, train.optimizer.lr, train.optimizer.momentum) == (32, 0.01, 0.9)
    assert train.sampler.type == "ShuffleSampler" and train.head_lr_mult == 1.0
    steps = 12_936 // train.batch_size
    assert abs(train.epochs * steps - 50_000) < 2 * steps
    assert [round(m * steps, -3) for m in train.schedule.milestones] == [20_000, 40_000]
    assert [t.type for t in cfg.model.transforms.train] == ["Normalize"]  # no augmentation
    network = MODELS.build(cfg.model.to_dict(), num_identities=751, input_size=(224, 224))
    assert sum(p.numel() for p in network.parameters()) == 6_963_454


@pytest.mark.parametrize("matcher", ["jlml/L1Matcher", "CosineMatcher", "EuclideanMatcher"])
def test_distances_are_an_override(matcher):
    assert load("jlml", f"model.matcher={matcher}").model.matcher.type == matcher


def test_the_plan_of_the_table_names_configs_and_options_that_exist():
    plan = yaml.safe_load((FOLDER / "reproduce.yaml").read_text())
    for spec in plan["runs"].values():
        load(Path(spec["config"]).stem, *spec.get("overrides", []))
    rows = set(plan["runs"])
    for name, spec in plan["retests"].items():
        for row in spec["of"]:
            load(Path(plan["runs"][row]["config"]).stem, *spec["overrides"])
            rows.add(f"{row}, {name}")
    named = [d[side] for d in plan["directions"] for side in ("better", "worse")]
    assert {part for name in named for part in name.split(" - ")} <= rows
    assert len(plan["seeds"]) >= 3
