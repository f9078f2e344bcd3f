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
    assert nets.discriminator_std == 0.02
    assert nets.passes == "separate" and model.matcher.beta == 0.5
    assert model.transforms.identity == dict(erase=dict(type="RandomErasing", p=0.5))


@pytest.mark.parametrize("recipe", ["quick", "long"])
def test_composites_begin_when_the_generator_has_had_its_iterations(recipe):
    """A number of iterations, whatever the length of the run that learns from composites."""
    generator, rows = load("generator", f"recipe={recipe}"), load("dgnet", f"recipe={recipe}")
    learned = generator.train.epochs * generator.train.sampler.steps
    terms = read_terms(rows.model.terms.to_dict())
    for name, published in PUBLISHED.items():
        assert terms[name].weight == published.weight
        if name in ("primary", "fine", "id_fine"):
            assert terms[name].start == learned >= 560  # the Frechet distance is flat from there
    assert 0 < terms["cycle"].start < learned
    alone = read_terms(generator.model.terms.to_dict())
    assert not any(alone[name].weight for name in ("primary", "fine", "id_fine"))
    assert alone["cycle"] == terms["cycle"]
    # full rate with composites: most of a cycle lies beyond their ramp
    assert terms["primary"].ramp < 0.1 * rows.train.epochs * rows.train.sampler.steps
    assert rows.prerequisites.generator.config == "dgnet/generator"
    assert tuple(rows.input.size) == (128, 64)


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
    assert set(load("dgnet_no_prim", f"recipe={recipe}").prerequisites) == (
        set() if recipe == "paper" else {"generator"}
    )
    assert load("dgnet").prerequisites.teacher.config == "dgnet/teacher"


def test_the_baseline_of_the_paper_sees_as_much_as_the_joint_run():
    """Same batches, optimiser, iterations and network: what differs is the composites."""
    base, joint = load("baseline", "recipe=paper"), load("dgnet", "recipe=paper")
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


def test_the_quick_baseline_has_the_teachers_training():
    base, teacher, joint = load("baseline"), load("teacher"), load("dgnet")
    assert base.train == teacher.train and base.model.transforms == teacher.model.transforms
    assert (base.model.head.pool, teacher.model.head.pool) == ("max", "avg")
    assert joint.train.optimizers.reid == teacher.train.optimizer
    assert joint.train.schedule == teacher.train.schedule
    assert joint.train.batch_size == teacher.train.batch_size
    assert joint.model.transforms.identity == {}


def test_what_composites_add_is_measured_from_the_same_start():
    alone, joint = load("no_composites"), load("dgnet")
    assert alone.train == joint.train and alone.input == joint.input
    assert alone.prerequisites.generator == joint.prerequisites.generator
    terms = read_terms(alone.model.terms.to_dict())
    assert not any(terms[name].weight for name in ("primary", "fine", "id_fine"))


def test_the_oracle_adds_composites_to_the_baseline_and_its_control_real_crops():
    base, oracle, control = (load(n) for n in ("baseline", "oracle", "oracle_real"))
    assert base.train == oracle.train == control.train
    assert base.model.head == oracle.model.head == control.model.head
    assert oracle.model.losses == control.model.losses
    kinds = [cfg.data.domains.composites.type for cfg in (oracle, control)]
    assert kinds == ["SynthPedComposites", "SynthPed"]
    source = control.data.domains
    assert source.composites.preset == source.source.preset == "few_shot"


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
