"""Every experiment is a config, and the published recipe is the published one."""

from pathlib import Path

import pytest
import torch
import yaml

from reidkit.config import check_config, load_config
from reidkit.registry import MODELS
from reidkit.structures import ReIDBatch

FOLDER = Path(__file__).parents[3] / "configs" / "qaconv"

# config -> loss, sampler, symmetric matcher, cells of the map
VARIANTS = {
    "qaconv_gs": ("ScoreTripletLoss", "qaconv/GraphSampler", True, (24, 8)),
    "qaconv_gs_pk": ("ScoreTripletLoss", "qaconv/GraphSampler", True, (24, 8)),
    "qaconv_memory": ("ClassMemoryLoss", "ShuffleSampler", False, (24, 8)),
    "pooled_cosine": ("ScoreTripletLoss", "qaconv/GraphSampler", True, (1, 1)),
}


def load(name, *overrides):
    cfg = load_config(str(FOLDER / f"{name}.py"), list(overrides))
    assert check_config(cfg) == []
    return cfg


def test_no_variant_is_missing_and_none_is_unknown():
    found = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    assert found == {*VARIANTS, "pooled_softmax"}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_embeds_and_is_read_back(name):
    cfg = load(name, "model.backbone.width=8")
    loss, sampler, symmetric, size = VARIANTS[name]
    assert cfg.model.losses.match.loss.type == f"qaconv/{loss}"
    assert cfg.train.sampler.type == sampler
    build = dict(input_size=(192, 64), settings=cfg.settings)
    model = MODELS.build(cfg.model.to_dict(), num_identities=4, **build)
    assert model.matcher.symmetric == symmetric and model.matcher.map_size == size
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
    again = MODELS.build(cfg.model.to_dict(), num_identities=1, **build)
    again.load_state_dict(model.state_dict())
    before, after = (m.eval().matcher(m.embed(batch), embedding) for m in (model, again))
    assert torch.equal(before, after)
    if symmetric:  # its weights start equal; the others start at random, of any sign
        assert before.argmin(1).tolist() == list(range(8))


def test_the_usual_way_has_the_same_backbone_and_as_many_images():
    usual, gs = load("pooled_softmax"), load("qaconv_gs")
    assert usual.model.backbone == gs.model.backbone
    assert usual.model.transforms == gs.model.transforms
    # a graph-sampled epoch is a batch per identity, 90; a shuffled one goes once over 1,080 images
    assert usual.train.epochs * (1080 // 24) == gs.train.epochs * 90
    assert (usual.model.head.type, usual.model.matcher.type) == ("BNNeckHead", "CosineMatcher")


@pytest.mark.parametrize("name", [*VARIANTS, "pooled_softmax"])
def test_header_says_how_to_run_and_to_change_it(name):
    lines = (FOLDER / f"{name}.py").read_text().splitlines()
    comment = [line for line in lines if line.startswith("#")]
    assert f"python tools/train.py configs/qaconv/{name}.py" in "\n".join(comment)
    load(name, comment[-1].split()[-1])


def test_published_recipe():
    cfg = load("qaconv_gs", "recipe=paper", "data=market1501_to_msmt17")
    train, model = cfg.train, cfg.model
    assert (train.batch_size, train.sampler.k, train.epochs, train.clip_grad) == (64, 2, 60, 8.0)
    assert train.optimizer.lr * train.head_lr_mult == pytest.approx(0.005)
    assert train.optimizer.lr == pytest.approx(0.0005) and train.optimizer.nesterov
    assert cfg.hooks[0].type == "qaconv/AdaptiveSchedule"
    assert (model.backbone.depth, model.backbone.stages, model.head.dim) == (50, 3, 128)
    assert model.backbone.fixed_statistics and model.losses.match.loss.margin == 16.0
    assert tuple(cfg.input.size) == (384, 128)
    for steps in (model.transforms.train, model.transforms.test):
        assert tuple(steps[-1].mean) == (0, 0, 0) and tuple(steps[-1].std) == (1, 1, 1)
    memory = load("qaconv_memory", "recipe=paper")
    assert (memory.train.batch_size, memory.train.epochs, memory.hooks) == (8, 15, [])
    assert memory.model.head.dim == 64 and memory.model.head.norm


def test_gs_and_pk_take_equally_many_steps():
    for name in ("qaconv_gs", "qaconv_gs_pk", "pooled_cosine"):
        cfg = load(name)
        assert (cfg.train.epochs, cfg.train.batch_size) == (
            load("qaconv_gs").train.epochs,
            load("qaconv_gs").train.batch_size,
        )


def test_the_sampler_and_the_matcher_work_with_another_method():
    overrides = ['plugins=["eanet","qaconv"]', "train.sampler=qaconv/GraphSampler"]
    cfg = load_config("eanet/pap", overrides)
    assert check_config(cfg) == []


def test_the_plan_of_the_results_page_names_configs_and_options_that_exist():
    plan = yaml.safe_load((FOLDER / "reproduce.yaml").read_text())
    assert len(plan["seeds"]) >= 3
    rows = set(plan["runs"])
    for row in plan["runs"].values():
        load(Path(row["config"]).stem, *row.get("overrides", []))
    for name, test in plan["retests"].items():
        assert set(test["of"]) <= rows
        rows |= {f"{row}, {name}" for row in test["of"]}
        load("qaconv_gs", *test["overrides"])
    for claim in plan["directions"]:
        assert {claim["better"], claim["worse"]} <= rows
