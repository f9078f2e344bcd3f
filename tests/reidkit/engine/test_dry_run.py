"""Parts that do not run on each other are refused before data is opened, at their place."""

from __future__ import annotations

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.domains import PART_MAP
from reidkit.engine.dry_run import _brought, dry_run_problems
from reidkit.engine.label_plan import plan_of
from reidkit.engine.sample_batch import sample_batch
from reidkit.registry import DATASETS, HEADS, LOSSES

SMALL = ["model.backbone.depth=10", "model.backbone.width=8"]
MAPS = "images of 192x64 give features: layer1 (8, 48, 16), layer2 (16, 24, 8), layer3 (32, 24, 8)"


def said(name: str, *overrides: str) -> list[str]:
    cfg = prepare_config(name, [*SMALL, "settings.data_root=/nowhere", *overrides])
    return [str(problem) for problem in dry_run_problems(cfg)]


@pytest.mark.parametrize("name", ["eanet/pcb", "eanet/pap_st_ps", "eanet/pap_s_ps_triplet"])
def test_configs_that_fit(name):
    assert said(name) == []


def test_stripes_on_a_map_with_too_few_rows():
    assert said("eanet/pcb", "model.head.stripes=5") == [
        f"model.head: 24 rows of features cannot be cut into 5 equal stripes\n      {MAPS}"
    ]


def test_a_label_is_there_because_a_loss_asks_for_it():
    (line,) = said("eanet/pcb", "model.losses.id.loss=eanet/PartSegLoss")
    assert line.startswith("model.losses.id.loss: part_map must be (N, H, W)"), "it has come"
    (line,) = said("eanet/pcb", "model.losses.id.loss=eanet/PartSegLoss", "data.labeller=None")
    assert line == "data.labeller: missing, but part_map are asked for"


@pytest.mark.parametrize(
    "name, override",
    [
        ("eanet/pap_st_ps", "input.size=(256,128)"),
        ("eanet/pap_s_ps", "model.backbone=torchvision/resnet18"),
    ],
)
def test_part_maps_come_in_the_size_that_the_head_learns_from(name, override):
    cfg = prepare_config(name, ["settings.data_root=/nowhere", override])
    assert dry_run_problems(cfg) == []
    model = build_model(cfg, TrainingSet(2, (0, 1)))
    rows, columns = model.aux_heads["ps"].label_sizes["part_map"]
    plan = plan_of(model)
    assert plan.sizes["source"] == {"part_map": (rows, columns)} != {"part_map": PART_MAP}
    assert "part_map" in plan.train["source"]
    batch = sample_batch(cfg, plan.train["source"], plan.sizes["source"])
    assert batch["part_map"].shape[1:] == (rows, columns)


def test_a_name_that_nothing_gives_is_told_with_who_could(monkeypatch):
    class Phase(torch.nn.Module):
        def __init__(self):
            super().__init__()

        def forward(self, logits, moon):
            return logits.mean() * moon.mean()

    class Moonlight(torch.nn.Module):
        gives = ("vectors", "moon")

        def __init__(self):
            super().__init__()

    monkeypatch.setitem(LOSSES.module_dict, "Phase", Phase)
    (line,) = said("eanet/pcb", "model.losses.id.loss=Phase")
    assert line.startswith("model.losses.id.loss: Phase asks for 'moon'") and "'source'" in line
    assert "no registered head, transform or dataset gives it" in line
    monkeypatch.setitem(HEADS.module_dict, "Moonlight", Moonlight)
    (line,) = said("eanet/pcb", "model.losses.id.loss=Phase")
    assert "Moonlight gives it (model.head, model.aux_heads)" in line


def test_a_loss_on_another_shape():
    (line,) = said("eanet/pap_s_ps", "model.losses.ps.head=embed")
    assert line.startswith("model.losses.ps.loss: part_map must be (N, H, W) = ")


def test_a_head_without_the_transforms_it_needs():
    gone = "~model.transforms.train.regions", "~model.transforms.test.regions"
    lines = said("eanet/pap", *gone, "data=market1501")
    where = [("masks", "in training"), ("visibility", "in training")]
    where += [("masks", "in the test"), ("visibility", "in the test")]
    assert len(lines) == len(where)
    for line, (name, when) in zip(lines, where, strict=True):
        assert line.startswith(f"model.head: PAPHead asks for {name!r} {when} on 'source'")
        assert "eanet/RegionMasks, eanet/StripeMasks adds it (model.transforms)" in line


def test_a_head_that_gives_no_embedding():
    lines = said("eanet/pcb", "model.head=eanet/PartSegHead")
    assert any("PartSegHead gives no embedding: not a `head`" in line for line in lines)


@pytest.mark.parametrize(
    "override, text",
    [
        (
            'train.freeze=["backbone","layer1"]',
            "train.freeze: the model has no module 'layer1'; did",
        ),
        ('train.freeze=["backbone.stam"]', "module 'backbone.stam'; backbone has: "),
        ("train.loss_mult={'ps':0.5}", "train.loss_mult: the model has no loss 'ps'; it has: id"),
        (
            'train.schedule=[dict(type="CosineAnnealingLR",T_maxx=3)]',
            "train.schedule.0: CosineAnnealingLR: ",
        ),
        (
            '+visualizers.1=dict(type="AimVisBackend")',
            "visualizers.1: AimVisBackend needs aim: pip",
        ),
    ],
)
def test_names_that_training_would_not_find(override, text):
    (line,) = said("eanet/pcb", override)
    assert text in line and line.startswith(("train.", "visualizers."))


def test_training_and_test_and_the_rest_are_all_told():
    lines = said(
        "eanet/pcb", "model.losses.id.loss=eanet/PartSegLoss", "train.sampler=PKSampler",
        "train.sampler.p=5",
    )  # fmt: skip
    assert [line.split(":")[0] for line in lines] == ["model.losses.id.loss", "train.sampler"]


def test_weights_that_are_missing(tmp_path):
    (line,) = said("eanet/pcb", f"model.backbone.pretrained={tmp_path}/a.pth")
    assert line == f"model.backbone: {tmp_path}/a.pth: no such checkpoint"


def test_a_transform_is_named_by_its_place():
    (line,) = said(
        "eanet/pcb", "+model.transforms.train.erase=dict(type='RandomErasing', fill='x')"
    )
    assert line == "model.transforms.train.erase: fill must be 'mean' or 'noise', got 'x'"


@pytest.mark.parametrize(
    ("data", "size", "text"),
    [
        ("synthped_tiny", 64, "12 identities do not fill one batch of p=16 with k=4 crops each "
         "(train.batch_size=64); train.batch_size=48 would fit, or train.sampler.k=8"),
        ("market1501", 3200, "751 identities do not fill one batch of p=800 with k=4 crops each "
         "(train.batch_size=3200); train.batch_size=3004 would fit, or train.sampler.k=5"),
    ],
)  # fmt: skip
def test_batches_of_more_identities_than_the_data_set_has(data, size, text):
    options = [f"data={data}", "train.sampler=PKSampler", f"train.batch_size={size}"]
    assert said("eanet/pcb", *options) == [f"train.sampler: PKSampler: {text}"]
    stages = "train.stages=dict(one=dict(epochs=1),two=dict(batch_size=%d))"
    assert said("eanet/pcb", *options[:2], "train.batch_size=16", stages % size) == [
        f"train.sampler: PKSampler: {text}"
    ]
    assert said("eanet/pcb", *options[:2], "train.batch_size=16", stages % 48) == []


def test_more_crops_in_a_batch_than_the_data_set_has():
    assert said("eanet/pcb", "data=synthped_tiny", "train.batch_size=73") == [
        "train.sampler: ShuffleSampler: 72 crops do not fill one batch of train.batch_size=73; "
        "train.batch_size=72 would fit"
    ]


def test_random_numbers_are_as_before():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    said("eanet/pcb")
    assert torch.equal(torch.get_rng_state(), before)


def test_joined_sets_bring_the_labels_that_all_of_them_bring(monkeypatch):
    """Known once they are built, and not from the class alone."""
    market = DATASETS.get("Market1501")
    moody = type("Moody", (market,), {"labels": ("mood",)})
    monkeypatch.setitem(DATASETS.module_dict, "Moody", moody)
    sets = [dict(type="Moody"), dict(type="Moody")]
    cfg = prepare_config("eanet/pcb", [*SMALL, "settings.data_root=/nowhere"])
    cfg.data.domains.source = dict(type="JoinedSets", sets=sets)
    assert _brought(cfg, "source") == {"mood"} and _brought(cfg, "target") == set()


def test_a_batch_of_one_image_cannot_train_a_batch_norm():
    (text,) = said("eanet/global_pool", "train.batch_size=1")
    assert text.startswith("model.head: ") and "raise train.batch_size" in text


def test_more_accumulated_batches_than_the_training_has():
    (text,) = said("eanet/global_pool", "train.epochs=2", "train.accumulate=100000")
    assert text.startswith("train.accumulate=100000: ")
    assert "nothing would be learned" in text
    assert said("eanet/global_pool", "train.epochs=2", "train.accumulate=2") == []


def test_images_too_small_for_the_backbone_are_a_problem_and_no_crash():
    assert len(said("eanet/pcb", "input.size=(1,1)")) == 1
