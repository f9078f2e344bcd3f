"""Every variant trains, compared rows differ in one thing, the published recipe is published."""

import pytest
import torch

from reidkit.config import check_config, load_config
from reidkit.registry import MODELS
from reidkit.structures import ReIDBatch
from reidkit.testing.supply import fake_supply

VARIANTS = ("qaconv_gs", "qaconv_gs_pk", "qaconv_memory", "pooled_cosine")


def load(name, *overrides):
    cfg = load_config(f"qaconv/{name}", overrides)
    assert check_config(cfg) == []
    return cfg


def test_what_is_compared_differs_in_one_thing():
    gs, pk = load("qaconv_gs").to_dict(), load("qaconv_gs_pk").to_dict()
    assert pk["train"]["sampler"].pop("distance") == "random"
    assert gs["train"] == pk["train"] and gs["model"] == pk["model"]
    pooled = load("pooled_cosine").to_dict()
    assert pooled["model"]["head"].pop("pool") == "avg"
    assert pooled["model"]["matcher"].pop("map_size") == (1, 1)
    assert pooled["train"] == gs["train"] and pooled["model"] == gs["model"]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_embeds_and_is_read_back(name):
    cfg = load(name, "model.backbone.width=8")
    known = dict(input_size=(192, 64), settings=cfg.settings)
    model = MODELS.build(cfg.model.to_dict(), fake_supply("models", num_identities=4, **known))
    batch = ReIDBatch(
        torch.randint(0, 256, (8, 3, 192, 64), dtype=torch.uint8),
        identities=torch.arange(8) // 2,
        generator=torch.Generator().manual_seed(0),
    )
    model.train()
    for _ in range(2):  # the class memory has nothing to say about the first batch
        losses = model(**model.data_preprocessor({"source": batch}, True))
    losses["loss_match"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    embedding = model.embed(batch)
    again = MODELS.build(cfg.model.to_dict(), fake_supply("models", num_identities=1, **known))
    again.load_state_dict(model.state_dict())
    before, after = (m.eval().matcher(m.embed(batch), embedding) for m in (model, again))
    assert torch.equal(before, after)
    if model.matcher.symmetric:  # its weights start equal; the others start at random, of any sign
        assert before.argmin(1).tolist() == list(range(8))


def test_the_usual_way_has_the_same_backbone_and_as_many_images():
    usual, gs = load("pooled_softmax"), load("qaconv_gs")
    assert usual.model.backbone == gs.model.backbone
    assert usual.model.transforms == gs.model.transforms
    # a graph-sampled epoch is a batch per identity, 90; a shuffled one goes once over 1,080 images
    assert usual.train.epochs * (1080 // 24) == gs.train.epochs * 90
    assert (usual.model.head.type, usual.model.matcher.type) == ("BNNeckHead", "CosineMatcher")


def test_published_recipe():
    cfg = load("qaconv_gs", "recipe=paper", "data=market1501_to_msmt17")
    train, model = cfg.train, cfg.model
    assert (train.batch_size, train.sampler.k, train.epochs, train.clip_grad) == (64, 2, 60, 8.0)
    assert train.optimizer.lr * train.lr_mult["*"] == pytest.approx(0.005)
    assert train.optimizer.lr == pytest.approx(0.0005) and train.optimizer.nesterov
    assert cfg.hooks.schedule.type == "qaconv/AdaptiveSchedule"
    assert (model.backbone.depth, model.backbone.stages, model.head.dim) == (50, 3, 128)
    assert model.backbone.fixed_statistics and model.losses.match.loss.margin == 16.0
    assert tuple(cfg.input.size) == (384, 128)
    for steps in (model.transforms.train, model.transforms.test):
        *_, last = steps.values()
        assert tuple(last.mean) == (0, 0, 0) and tuple(last.std) == (1, 1, 1)
    steps = ["crop", "flip", "rotation", "jitter", "occlusion", "normalize"]
    assert list(model.transforms.train) == steps
    memory = load("qaconv_memory", "recipe=paper")
    assert (memory.train.batch_size, memory.train.epochs, memory.hooks) == (8, 15, {})
    assert memory.model.head.dim == 64 and memory.model.head.norm


def test_the_sampler_and_the_matcher_work_with_another_method():
    overrides = ['plugins=["eanet","qaconv"]', "train.sampler=qaconv/GraphSampler"]
    cfg = load_config("eanet/pap", overrides)
    assert check_config(cfg) == []
