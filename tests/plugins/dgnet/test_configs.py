"""The configs are the rows of the paper, one recipe is the paper's, the other has its shape."""

import pytest

from reidkit.config import check_config, load_config
from reidkit.registry import SAMPLERS
from reidkit.testing.supply import fake_supply
from reidkit_plugins.dgnet.losses import PUBLISHED, read_terms

JOINT = ("dgnet", "dgnet_no_fine", "dgnet_no_prim")


def load(name, *overrides):
    cfg = load_config(f"dgnet/{name}", overrides)
    assert check_config(cfg) == []
    return cfg


def test_published_recipe():
    cfg = load("dgnet", "recipe=paper")
    train, model, nets = cfg.train, cfg.model, cfg.model.networks
    assert tuple(cfg.input.size) == (256, 128)
    assert train.epochs * train.sampler.steps == 100_000 and train.batch_size == 4 * 8
    milestones = [epoch * train.sampler.steps for epoch in train.schedule.milestones]
    assert milestones == [60_000, 90_000] and train.schedule.gamma == 0.1
    reid = train.optimizers.reid
    assert reid == dict(type="SGD", lr=0.002, momentum=0.9, weight_decay=5e-4, nesterov=True)
    assert train.lr_mult == {"networks.appearance_encoder.heads.*": 10.0}  # heads learn at 0.02
    adam = dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), weight_decay=5e-4)
    assert train.optimizers.generator == train.optimizers.discriminator == adam
    assert read_terms(model.terms.to_dict()) == PUBLISHED
    assert (nets.dim, nets.structure_dim, nets.mlp_dim, nets.discriminator_dim) == (
        512, 16, 512, 32,
    )  # fmt: skip
    assert nets.passes == "separate" and model.matcher.beta == 0.5
    assert model.transforms.identity == dict(erase=dict(type="RandomErasing", p=0.5))


def test_quick_recipe_has_the_schedule_in_shares_of_the_run():
    cfg = load("dgnet")
    total = cfg.train.epochs * cfg.train.sampler.steps
    terms = read_terms(cfg.model.terms.to_dict())
    for name, published in PUBLISHED.items():
        assert terms[name].weight == published.weight
        assert terms[name].start / total == pytest.approx(published.start / 100_000, abs=0.01)
        assert terms[name].ramp / total == pytest.approx(published.ramp / 100_000, abs=0.01)
    assert [m / cfg.train.epochs for m in cfg.train.schedule.milestones] == [0.6, 0.9]
    assert tuple(cfg.input.size) == (128, 64)


@pytest.mark.parametrize("recipe", ["quick", "paper"])
def test_rows_of_the_table(recipe):
    weights = {
        name: {t: term.weight for t, term in read_terms(load(name, f"recipe={recipe}").model.terms
                                                        .to_dict()).items()}
        for name in JOINT
    }  # fmt: skip
    full = {t: term.weight for t, term in PUBLISHED.items()}
    assert weights["dgnet"] == full
    assert weights["dgnet_no_fine"] == full | dict(fine=0.0, id_fine=0.0)
    assert weights["dgnet_no_prim"] == full | dict(primary=0.0)
    assert load("dgnet_no_fine").model.matcher.beta == 0.0
    assert load("dgnet_no_prim").prerequisites == {}
    assert load("dgnet").prerequisites.teacher.config == "dgnet/teacher"


@pytest.mark.parametrize("recipe", ["quick", "paper"])
def test_the_baseline_sees_as_much_as_the_joint_run(recipe):
    """Same batches, optimiser, iterations and network: what differs is the composites."""
    base, joint = load("baseline", f"recipe={recipe}"), load("dgnet", f"recipe={recipe}")
    for key in ("epochs", "batch_size", "sampler", "schedule"):
        assert base.train[key] == joint.train[key], key
    assert base.train.optimizer == joint.train.optimizers.reid
    assert base.train.lr_mult.get("*") == next(iter(joint.train.lr_mult.values()), None)
    assert (
        base.model.backbone == joint.model.backbone
        and base.model.head.dim == joint.model.networks.dim
    )
    steps = joint.model.transforms
    assert base.model.transforms.train == {**steps.train, **steps.identity}


def test_the_teacher_of_the_paper_is_the_public_baseline():
    cfg = load("teacher", "recipe=paper")
    assert (cfg.model.backbone.last_stride, cfg.model.head.get("pool")) == (2, "avg")
    rate = cfg.train.optimizer.lr
    assert (rate, rate * cfg.train.lr_mult["*"]) == (0.005, 0.05)
    assert (cfg.train.epochs, cfg.train.batch_size, cfg.train.schedule.milestones) == (60, 32, [40])


def test_the_sampler_of_the_recipe_fills_batches():
    cfg = load("dgnet")
    sampler = SAMPLERS.build(
        dict(cfg.train.sampler),
        fake_supply(
            "samplers",
            identities=[i // 12 for i in range(1080)],
            num_samples=1080,
            batch_size=cfg.train.batch_size,
        ),
    )
    assert len(sampler) == cfg.train.sampler.steps
    assert len(next(iter(sampler))) == cfg.train.batch_size
