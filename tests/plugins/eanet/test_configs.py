"""Every variant trains, compared rows differ in one thing, the published recipe is published."""

from pathlib import Path

import pytest
from torch import nn

from reidkit.config import check_config, load_config, stage_configs
from reidkit.engine.build import classifier_names
from reidkit.engine.label_plan import plan_of
from reidkit.engine.param_groups import factors, freeze
from reidkit.engine.sample_batch import sample_batch
from reidkit.registry import MODELS
from reidkit.testing.supply import fake_supply

FOLDER = Path(__file__).parents[3] / "configs" / "eanet"

VARIANTS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def load(name, *overrides):
    cfg = load_config(f"eanet/{name}", overrides)
    assert check_config(cfg) == []
    return cfg


@pytest.mark.parametrize("name", VARIANTS)
def test_the_first_role_gives_the_identities_and_the_epoch(name):
    assert list(load(name).model.losses)[0] == "id"


def test_what_is_compared_differs_in_one_thing():
    """Rows of the table that stand against each other share everything else."""
    full, pixel = load("pap_s_ps").model.to_dict(), load("pap_s_ps_sa").model.to_dict()
    assert pixel["losses"]["ps"]["loss"].pop("normalize") == "pixel" and full == pixel
    nine, six = load("pap").model.to_dict(), load("pap_6p").model.to_dict()
    assert (nine["head"].pop("regions"), six["head"].pop("regions")) == (9, 6) and nine == six
    ours, theirs = load("pap").model, load("pcb").model
    assert ours.backbone == theirs.backbone and ours.head.dim == theirs.head.dim


def test_halves_of_one_set_weigh_as_much_as_the_set():
    losses = load("pap_stc_ps").model.losses
    assert losses.ps_parts.weight + losses.ps_parts_styled.weight == 1.0
    assert load("pap_c_ps").model.losses.ps_parts.weight == 1.0


def built(cfg):
    known = dict(num_identities=2, input_size=tuple(cfg.input.size), settings=cfg.settings)
    return MODELS.build(cfg.model.to_dict(), fake_supply("models", **known))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_and_embeds(name):
    cfg = load(name, "model.backbone.width=8")
    model = built(cfg)
    plan = plan_of(model)
    batches = {d: sample_batch(cfg, plan.train[d], plan.sizes.get(d, {}), d) for d in plan.train}
    model.train()
    losses = model(**model.data_preprocessor(batches, training=True))
    assert set(losses) == {f"loss_{role}" for role in cfg.model.losses}
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    embedding = model.embed(sample_batch(cfg, plan.test, {}))
    head = cfg.model.head
    parts = head.get("regions", head.get("stripes", 1))
    assert embedding.vectors.shape == (4, parts, 64)
    distances = model.matcher(embedding, embedding)
    assert distances.shape == (4, 4) and distances.argmin(1).tolist() == list(range(4))


def test_published_recipe():
    cfg = load("pap_s_ps", "recipe=paper")
    train = cfg.train
    assert tuple(cfg.input.size) == (384, 128) and cfg.input.resize == "cv2"
    assert train.optimizer == dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4)
    assert (train.epochs, train.batch_size) == (60, 32)
    assert train.lr_mult == {"*": 2.0, "backbone.*": 1.0}  # heads learn at 0.02
    assert train.schedule == dict(type="step", milestones=[25, 50], gamma=0.1)
    assert train.sampler == dict(type="ShuffleSampler")
    assert list(cfg.model.transforms.train) == ["regions", "flip", "normalize"]
    for steps in cfg.model.transforms.values():
        assert tuple(steps.normalize.mean) == (0.486, 0.459, 0.408)
        assert tuple(steps.normalize.std) == (0.229, 0.224, 0.225)
    backbone = cfg.model.backbone
    assert (backbone.type, backbone.depth, backbone.last_stride) == ("ResNet", 50, 1)
    assert cfg.model.head.dim == 256


def test_published_recipe_of_the_exceptions():
    alone = load("global_pool", "recipe=paper")
    assert tuple(alone.input.size) == (256, 128) and alone.model.head.dim == 512
    triplet = load("pap_s_ps_triplet", "recipe=paper").train
    assert triplet.sampler == dict(type="PKSampler", p=16, k=4, epoch_length="identities")
    assert (triplet.epochs, triplet.batch_size) == (150, 64)
    assert triplet.schedule.milestones == [60, 120]


@pytest.mark.parametrize("recipe, lr", [("quick", 5e-4), ("paper", 0.001)])
def test_clusters_are_learned_by_new_classifiers_first(recipe, lr):
    cfg = load("pap_st_ps_spgan_cft", f"recipe={recipe}", "model.backbone.pretrained=None")
    assert cfg.train.optimizer.lr == lr and cfg.train.schedule is None
    first, second = stage_configs(cfg)
    model = built(cfg)
    rates = factors(model, first.train.lr_mult, "lr_mult")
    freeze(model, first.train["freeze"])
    classifiers = classifier_names(model)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name in classifiers)
        assert rates[id(parameter)] == (2.0 if name in classifiers else 1.0)
    assert not any(m.train().training for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert second.train["freeze"] == []
