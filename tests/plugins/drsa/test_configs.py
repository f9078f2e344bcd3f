"""Rows of the component table differ in one thing; stages, transforms and picture."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.config import check_config, load_config, stage_configs
from reidkit.data.transforms.random import rand
from reidkit.structures import ReIDBatch
from reidkit.utils.patterns import factors_by_name
from reidkit_plugins.drsa.picture import attention_sheet
from reidkit_plugins.drsa.transforms import HideBands, RandomSizedRectCrop

FOLDER = Path(__file__).parents[3] / "configs" / "drsa"
ROWS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def load(name, *overrides):
    cfg = load_config(f"drsa/{name}", overrides)
    assert check_config(cfg) == []
    return cfg


def test_rows_of_the_table_differ_in_what_their_names_say():
    base, parts = load("baseline_mean").model.to_dict(), load("spatial_only").model.to_dict()
    assert (base["head"].pop("parts"), parts["head"].pop("parts")) == (0, 6) and base == parts
    q, prime = (load(name).model.to_dict() for name in ("spatial_q", "spatial_qprime"))
    penalties = [m["losses"]["diversity"]["loss"].pop("penalty") for m in (q, prime)]
    assert penalties == ["Q", "Q'"] and q == prime
    pools = {"spatial_q": "mean", "spatial_q_max": "max", "drsa": "attn"}
    assert {name: load(name).model.head.pool for name in pools} == pools


@pytest.mark.parametrize("recipe", ["quick", "paper"])
@pytest.mark.parametrize("name", ROWS)
def test_stages_train_the_cnn_then_the_attention(name, recipe):
    stages = [stage.train for stage in stage_configs(load(name, f"recipe={recipe}"))]
    wanted = [["head"], ["backbone", "aux_heads", "head.temporal"], ["backbone", "aux_heads"]]
    wanted += [["aux_heads"]] * (name == "drsa")
    assert [stage["freeze"] for stage in stages] == wanted
    counting = [factors_by_name(load(name).model.losses, stage.loss_mult) for stage in stages]
    assert [{n for n, factor in one.items() if factor} for one in counting] == [{"image"}] + [
        set(load(name).model.losses) - {"image"}
    ] * (len(stages) - 1)


def test_published_recipe():
    cfg = load("drsa", "recipe=paper", "data=mars")
    stages = [stage.train for stage in stage_configs(cfg)]
    assert [stage.epochs for stage in stages[1:]] == [40, 40, 20]
    heads, cnn = cfg.train.lr_mult["*"], cfg.train.lr_mult["backbone.*"]
    assert (cfg.train.optimizer.lr * heads, cnn) == (pytest.approx(0.1), 1.0)
    for stage in stages:
        assert stage.optimizer.momentum == 0.9 and stage.optimizer.nesterov
    assert stages[-1].optimizer.lr * heads == pytest.approx(0.01)
    assert stages[-1].schedule.milestones == [12] and stages[0].schedule.milestones == [24]
    assert tuple(cfg.input.size) == (256, 128) and cfg.model.backbone.depth == 50
    assert not cfg.model.head.get("center", False) and cfg.data.domains.source.type == "MARS"


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
