"""Every row of the variant table is a config, and the published recipe is the published one."""

from pathlib import Path

import pytest
import torch
import yaml

from reidkit.config import check_config, load_config
from reidkit.registry import MODELS
from reidkit.structures import ReIDBatch

FOLDER = Path(__file__).parents[3] / "configs" / "eanet"

ID, PS = {"id": ("source", 1.0)}, {"ps": ("source", 1.0)}
TARGET = {"ps_target": ("target", 1.0)}
STYLED = {"id": ("source_styled", 1.0), "ps": ("source_styled", 1.0)}
CLUSTERS = {"id": ("target_clusters", 1.0), "ps": ("target_clusters", 1.0)}

# config -> head, parts, losses by role (domain, weight)
VARIANTS = {
    "global_pool": ("GlobalHead", None, ID),
    "pcb": ("PCBHead", 6, ID),
    "pap_6p": ("PAPHead", 6, ID),
    "pap": ("PAPHead", 9, ID),
    "pap_s_ps": ("PAPHead", 9, ID | PS),
    "pap_s_ps_sa": ("PAPHead", 9, ID | PS),
    "pap_c_ps": ("PAPHead", 9, ID | {"ps_parts": ("parts", 1.0)}),
    "pap_stc_ps": (
        "PAPHead",
        9,
        ID | PS | {"ps_parts": ("parts", 0.5), "ps_parts_styled": ("parts_styled", 0.5)},
    ),
    "pap_st_ps": ("PAPHead", 9, ID | PS | TARGET),
    "pap_s_ps_spgan": ("PAPHead", 9, STYLED),
    "pap_st_ps_spgan": ("PAPHead", 9, STYLED | TARGET),
    "pap_st_ps_spgan_cft": ("PAPHead", 9, CLUSTERS),
    "pap_s_ps_triplet": ("PAPHead", 9, ID | PS | {"triplet": ("source", 0.1)}),
}


def load(name, *overrides):
    cfg = load_config(str(FOLDER / f"{name}.py"), list(overrides))
    assert check_config(cfg) == []
    return cfg


def test_no_variant_is_missing_and_none_is_unknown():
    found = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    assert found == set(VARIANTS)


@pytest.mark.parametrize("recipe", ["quick", "paper"])
@pytest.mark.parametrize("name", VARIANTS)
def test_variant(name, recipe):
    cfg = load(name, f"recipe={recipe}")
    head, parts, roles = VARIANTS[name]
    losses = cfg.model.losses
    assert cfg.model.head.type == f"eanet/{head}"
    assert cfg.model.head.get("regions", cfg.model.head.get("stripes")) == parts
    assert {n: (role.domain, role.get("weight", 1.0)) for n, role in losses.items()} == roles
    assert list(losses)[0] == "id"  # the first role's domain gives the identities and the epoch
    normalize = [r.loss.get("normalize", "part") for n, r in losses.items() if n.startswith("ps")]
    assert set(normalize) <= {"pixel" if name == "pap_s_ps_sa" else "part"}
    wanted = cfg.labels.train
    pap = head == "PAPHead"
    for n, role in losses.items():
        if n.startswith("ps"):
            assert "part_map" in wanted[role.domain] and role.head == "ps"
        elif pap:
            assert "keypoints" in wanted[role.domain]
    assert set(wanted) == ({role.domain for role in losses.values()} if pap else set())
    assert cfg.labels.test == (["keypoints"] if pap else [])
    assert cfg.model.matcher.type == ("eanet/VisibilityMatcher" if pap else "CosineMatcher")


@pytest.mark.parametrize("name", VARIANTS)
def test_header_says_how_to_run_and_to_change_it(name):
    comment = []
    for line in (FOLDER / f"{name}.py").read_text().splitlines():
        if not line.startswith("#"):
            break
        comment.append(line)
    text = "\n".join(comment)
    assert f"python tools/train.py configs/eanet/{name}.py" in text
    override = text.rstrip().split()[-1]
    key, _, value = override.lstrip("~").partition("=")
    load(name, f"{key}={value}" if value else f"~{key}")


def loaded_batch(fields, seed, count=8):
    """A batch as the loader hands it out, with the labels that the config asks for."""
    random = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(count, 17, 3, generator=random, dtype=torch.float64)
    keypoints[..., :2] *= torch.tensor([64.0, 128.0])
    labels = dict(keypoints=keypoints, part_map=torch.randint(0, 8, (count, 48, 16)))
    return ReIDBatch(
        images=torch.randint(0, 256, (count, 3, 192, 64), generator=random, dtype=torch.uint8),
        identities=torch.arange(count) // 4,
        image_sizes=torch.tensor([[128, 64]] * count),
        generator=random,
        **{name: labels[name] for name in fields},
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_and_embeds(name):
    cfg = load(name, "model.backbone.width=8")
    model = MODELS.build(
        cfg.model.to_dict(), num_identities=2, input_size=(192, 64), settings=cfg.settings
    )
    batches = {
        domain: loaded_batch(cfg.labels.train.get(domain, []), seed)
        for seed, domain in enumerate(model.domains)
    }
    model.train()
    losses = model(**model.data_preprocessor(batches, training=True))
    assert set(losses) == {f"loss_{role}" for role in VARIANTS[name][2]}
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    embedding = model.embed(loaded_batch(cfg.labels.test, 9))
    parts = VARIANTS[name][1] or 1
    assert embedding.vectors.shape == (8, parts, 64)
    distances = model.matcher(embedding, embedding)
    assert distances.shape == (8, 8) and distances.argmin(1).tolist() == list(range(8))


def test_published_recipe():
    cfg = load("pap_s_ps", "recipe=paper")
    train = cfg.train
    assert tuple(cfg.input.size) == (384, 128) and cfg.input.resize == "cv2"
    assert train.optimizer == dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4)
    assert (train.epochs, train.batch_size, train.head_lr_mult) == (60, 32, 2.0)
    assert train.schedule == dict(type="step", milestones=[25, 50], gamma=0.1)
    assert train.sampler == dict(type="ShuffleSampler")
    steps = [step.type for step in cfg.model.transforms.train]
    assert steps == ["eanet/RegionMasks", "RandomFlip", "Normalize"]
    for where in ("train", "test"):
        normalize = cfg.model.transforms[where][-1]
        assert tuple(normalize.mean) == (0.486, 0.459, 0.408)
        assert tuple(normalize.std) == (0.229, 0.224, 0.225)
    backbone = cfg.model.backbone
    assert (backbone.type, backbone.depth, backbone.last_stride) == ("ResNet", 50, 1)
    assert cfg.model.head.dim == 256


def test_published_recipe_of_the_exceptions():
    alone = load("global_pool", "recipe=paper")
    assert tuple(alone.input.size) == (256, 128) and alone.model.head.dim == 512
    triplet = load("pap_s_ps_triplet", "recipe=paper").train
    assert triplet.sampler == dict(type="PKSampler", p=16, k=4, epoch="identities")
    assert (triplet.epochs, triplet.batch_size) == (150, 64)
    assert triplet.schedule.milestones == [60, 120]
    tune = load("pap_st_ps_spgan_cft", "recipe=paper").train
    assert tune.optimizer == dict(type="SGD", lr=0.001, momentum=0.9, weight_decay=5e-4)
    assert (tune.new, tune.head_lr_mult, tune.schedule) == ("classifiers", 2.0, None)
    first, second = tune.stages
    assert first == dict(epochs=6, freeze=["!classifiers"]) and second == dict(epochs=5)


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
