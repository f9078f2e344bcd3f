"""Every row of the component table is a config; recipes, plan and picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from reidkit.config import check_config, load_config
from reidkit.data.transforms.random import rand
from reidkit.structures import ReIDBatch
from reidkit_plugins.drsa.picture import attention_sheet
from reidkit_plugins.drsa.transforms import HideBands, RandomSizedRectCrop

FOLDER = Path(__file__).parents[3] / "configs" / "drsa"
# config -> parts, pooling over time, penalty
ROWS = {
    "baseline_mean": (0, "mean", None),
    "spatial_only": (6, "mean", None),
    "spatial_qprime": (6, "mean", "Q'"),
    "spatial_q": (6, "mean", "Q"),
    "spatial_q_max": (6, "max", "Q"),
    "drsa": (6, "attn", "Q"),
}


def load(name, *overrides):
    cfg = load_config(str(FOLDER / f"{name}.py"), list(overrides))
    assert check_config(cfg) == []
    return cfg


def test_no_row_is_missing_and_none_is_unknown():
    assert {p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_")} == set(ROWS)


@pytest.mark.parametrize("recipe", ["quick", "paper"])
@pytest.mark.parametrize("name", ROWS)
def test_row(name, recipe):
    cfg = load(name, f"recipe={recipe}")
    parts, pool, penalty = ROWS[name]
    head, losses = cfg.model.head, cfg.model.losses
    assert (head.parts, head.pool) == (parts, pool)
    assert (head.attention, head.enhance) == ("independent", "fc_l2")
    assert losses.id.loss.type == "OIMLoss" and losses.id.loss.scale == 30.0
    assert losses.get("diversity", {}).get("loss", {}).get("penalty") == penalty
    frames = cfg.input.frames
    for when in (frames.train, frames.test):
        assert (when.type, when.frames, when.rule) == ("drsa/RandomChunk", 6, "balanced")
    stages = [list(stage.get("freeze", [])) for stage in cfg.train.stages]
    wanted = [["head"], ["backbone", "aux_heads", "head.temporal"], ["backbone", "aux_heads"]]
    assert stages == wanted + [["aux_heads"]] * (name == "drsa")
    used = [list(stage.losses) for stage in cfg.train.stages]
    assert used == [["image"]] + [["!image"]] * (len(stages) - 1)
    assert cfg.groups.data == "synthped_video"


@pytest.mark.parametrize("name", ROWS)
def test_header_says_how_to_run_and_to_change_it(name):
    text = [line for line in (FOLDER / f"{name}.py").read_text().splitlines() if line[:1] == "#"]
    assert f"# python tools/train.py configs/drsa/{name}.py" in text
    key, _, value = text[-1].split()[-1].partition("=")
    load(name, f"{key}={value}")


def test_published_recipe():
    cfg = load("drsa", "recipe=paper", "data=mars")
    assert [stage.epochs for stage in cfg.train.stages[1:]] == [40, 40, 20]
    assert cfg.train.optimizer.lr * cfg.train.head_lr_mult == pytest.approx(0.1)
    assert cfg.train.optimizer.momentum == 0.9 and cfg.train.optimizer.nesterov
    last = cfg.train.stages[-1]
    assert last.optimizer.lr * cfg.train.head_lr_mult == pytest.approx(0.01)
    assert last.schedule.milestones == [12] and cfg.train.schedule.milestones == [24]
    assert tuple(cfg.input.size) == (256, 128) and cfg.model.backbone.depth == 50
    assert not cfg.model.head.get("center", False) and cfg.data.domains.source.type == "MARS"


def test_the_plan_of_the_table_names_configs_and_options_that_exist():
    plan = yaml.safe_load((FOLDER / "reproduce.yaml").read_text())
    for spec in plan["runs"].values():
        load(Path(spec["config"]).stem, *spec.get("overrides", []))
    rows = set(plan["runs"])
    for name, spec in plan["retests"].items():
        for row in spec["of"]:
            own = plan["runs"][row]
            load(Path(own["config"]).stem, *own.get("overrides", []), *spec["overrides"])
            rows.add(f"{row}, {name}")
    named = [d[side] for d in plan["directions"] for side in ("better", "worse")]
    assert {part for name in named for part in name.split(" - ")} <= rows
    slugs = ["".join(c if c.isalnum() else "_" for c in row.lower()).strip("_") for row in rows]
    assert len(set(slugs)) == len(rows)


def test_hidden_bands():
    images = torch.full((8, 3, 12, 4), 9, dtype=torch.uint8)
    batch = ReIDBatch(images, frames=4, indices=torch.tensor([1] * 4 + [5] * 4))
    out = HideBands(0.5, bands=3, fill=0)(batch).images
    hidden = (out[:, 0, :, 0] == 0).view(2, 4, 12)
    for clip, band in ((0, 1), (1, 2)):
        for frame in range(4):
            rows = torch.zeros(12, dtype=torch.bool)
            rows[4 * band : 4 * band + 4] = frame % 2 == 1
            assert torch.equal(hidden[clip, frame], rows)
    assert torch.equal(HideBands(0.0)(batch).images, images)
    assert (HideBands(1.0, bands=1, fill=0)(batch).images == 0).all()


def test_sized_crop_cuts_one_rectangle_per_clip_and_stretches_it():
    rows = torch.arange(64.0).view(1, 1, 64, 1).expand(6, 3, 64, 32).contiguous()
    batch = ReIDBatch(rows, frames=3, augment_group=3, generator=torch.Generator().manual_seed(3))
    out = RandomSizedRectCrop()(batch).images
    assert out.shape == rows.shape and out.dtype == torch.float32
    assert torch.equal(out[0], out[1]) and not torch.equal(out[0], out[3])
    span = out[:, 0, -1, 0] - out[:, 0, 0, 0]
    assert ((span > 0.55 * 64) & (span <= 64)).all()  # sqrt(0.64 * 2 / 2) of the height and more
    whole = RandomSizedRectCrop(area=(1.0, 1.0), aspect=(2.0, 2.0))(batch).images
    torch.testing.assert_close(whole, rows, atol=1e-3, rtol=0)
    assert len(rand(batch, 6, 2).unique(dim=0)) == 2


def test_the_sheet_shows_maps_and_weights(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 4, 32, 16, 3), dtype=np.uint8)
    maps, weights = np.zeros((2, 4, 3, 8, 4)), np.full((2, 4, 3), 0.25)
    maps[..., 0, 0] = 1.0
    attention_sheet(tmp_path / "a.png", frames, maps, weights)
    maps[..., 0, 0], maps[..., 7, 3] = 0.0, 1.0
    attention_sheet(tmp_path / "b.png", frames, maps, weights)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    with pytest.raises(ValueError, match="attention_sheet"):
        attention_sheet(tmp_path / "c.png", frames, maps[:, :3], weights)
