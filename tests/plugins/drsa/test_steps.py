"""Frozen stages, sampling, MARS's protocol, and a whole run with its stages, killed and resumed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from reidkit.cli.main import main
from reidkit.config import prepare_config, stage_configs
from reidkit.data import MARS
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.optim import build_optim
from reidkit.engine.param_groups import freeze
from reidkit.evaluation import RankingEvaluator
from reidkit.evaluation.metrics.ranked import average_precision, average_precision_official
from reidkit.structures import Embedding, ReIDBatch
from reidkit.testing.fakes import labelled

ROOT = Path(__file__).parents[3]
TINY = ["model.backbone.width=8", "model.head.hidden=8", "settings.device=cpu"]


def loaded(identities=4, frames=4, seed=0):
    """A batch of clips as the loader hands it out."""
    source = torch.Generator().manual_seed(seed)
    size = (8, frames, 3, 128, 64)
    images = torch.randint(0, 256, size, generator=source, dtype=torch.uint8)
    who = torch.arange(8) % identities
    return ReIDBatch(images, who, frames=frames, augment_group=frames, generator=source)


def built(name="drsa", *overrides):
    cfg = prepare_config(ROOT / f"configs/drsa/{name}.py", [*TINY, *overrides])
    return cfg, build_model(cfg, TrainingSet(4)).train()


@pytest.mark.parametrize(
    "number, moved",
    [
        (0, {"backbone", "aux_heads.image"}),
        (1, {"head.spatial", "head.enhance", "head.embedding"}),
        (2, {"head.spatial", "head.temporal", "head.enhance", "head.embedding"}),
        (3, {"backbone", "head.spatial", "head.temporal", "head.enhance", "head.embedding"}),
    ],
    ids=["cnn", "spatial", "joint", "ind"],
)
def test_stages_leave_bit_for_bit_what_they_freeze(number, moved):
    """Weights and batch-norm statistics; weight decay does not reach what is frozen."""
    cfg, model = built()
    torch.nn.init.normal_(model.head.temporal.weight, std=0.1)
    stage = stage_configs(cfg)[number].train
    freeze(model, stage["freeze"])  # a config node has a method of that name
    model.scale_losses(stage.loss_mult)
    optim = build_optim(model, cfg.train)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for step in range(10):
        model.train()
        model.train_step({"source": loaded(seed=step)}, optim)
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    groups = {".".join(n.split(".")[: 1 if n.startswith("backbone") else 2]) for n in changed}
    assert groups - {"losses.id", "head.center"} == moved
    assert ("losses.id.loss.table" in changed) == (number > 0)
    if "backbone" in moved:
        assert any("running_mean" in name for name in changed)


def test_a_frozen_temporal_attention_is_the_mean():
    _, attention = built("drsa")
    _, mean = built("spatial_q")
    state = {k: v for k, v in attention.state_dict().items() if "head.temporal" not in k}
    mean.load_state_dict(state)
    batch = loaded()
    torch.testing.assert_close(attention.embed(batch).vectors, mean.embed(batch).vectors)


def test_losses_fall_and_the_table_is_per_tracklet():
    cfg, model = built()
    model.scale_losses({"image": 0.0})
    optim = build_optim(model, cfg.train)
    values = []
    for _ in range(12):
        log = model.train_step({"source": loaded()}, optim)
        values.append({k: float(v.detach()) for k, v in log.items()})
    assert set(values[0]) >= {"loss", "loss_id", "loss_diversity", "overlap", "map_size"}
    assert values[0]["loss_id"] == pytest.approx(np.log(4), abs=1e-4)
    assert values[-1]["loss_id"] < 0.5 * max(v["loss_id"] for v in values)
    assert values[-1]["loss_diversity"] < values[0]["loss_diversity"]
    assert model.losses["id"].loss.table.shape == (4, 128)


@pytest.mark.parametrize(
    "override",
    ["model.backbone=TorchvisionBackbone", "model.head=BNNeckHead"],
)
def test_image_parts_work_on_tracklets(override):
    """Another backbone under DRSA's head; an image head, whose frames are joined at the test."""
    overrides = [override] if "head" not in override else [override, "~model.losses.diversity"]
    given = [o for o in TINY if "width" not in o and "hidden" not in o]
    cfg = prepare_config(ROOT / "configs/drsa/drsa.py", [*given, *overrides])
    model = build_model(cfg, TrainingSet(4)).train()
    log = model.train_step({"source": loaded()}, build_optim(model, cfg.train))
    assert torch.isfinite(log["loss"])
    embedding = model.embed(loaded())
    assert embedding.vectors.shape[:2] == (8, 1)
    if "head" in override:
        flat = loaded().by_frame()
        flat.frames = flat.together = 1
        alone = model.embed(flat)
        joined = alone.join(torch.arange(32) // 4)
        torch.testing.assert_close(embedding.vectors, joined.vectors)


QUERIES, UNMATCHED = 1980, 140


def real_shape(root):
    """Tables with MARS's counts: 870 junk, 3,248 distractors, 8,062 tracklets of 634 people.

    1,980 queries of 626 people; 140 of them have their only match in another query.
    """
    rows, query = [], []
    rows += [(-1, 1 + i % 6) for i in range(870)] + [(0, 1 + i % 6) for i in range(3248)]
    person = 1
    for _ in range(UNMATCHED // 2):  # two tracklets, both queries
        query += [len(rows), len(rows) + 1]
        rows += [(person, 1), (person, 2)]
        person += 1
    asked = np.full(556, 3)
    asked[: QUERIES - UNMATCHED - 3 * 556] += 1
    total = 8062 - UNMATCHED
    counts = np.full(634 - 70, total // (634 - 70))
    counts[: total - counts.sum()] += 1
    for i, count in enumerate(counts):
        number = int(asked[i]) if i < len(asked) else 0
        query += range(len(rows), len(rows) + number)
        rows += [(person, 1 + c % 6) for c in range(int(count))]
        person += 1
    names, table = [], []
    for track, (identity, camera) in enumerate(rows):
        folder = "00-1" if identity < 0 else f"{identity:04d}"
        names.append(f"{folder}C{camera}T{track % 10000:04d}F001.jpg")
        table.append([track + 1, track + 1, identity, camera])
    (root / "info").mkdir(parents=True)
    for part, some in (("train", 30), ("test", len(rows))):
        shown = names[-some:] if part == "train" else names
        rows_of = np.array(table[-some:] if part == "train" else table)
        rows_of[:, :2] -= rows_of[0, 0] - 1
        (root / f"info/{part}_name.txt").write_text("\n".join(shown))
        savemat(root / f"info/tracks_{part}_info.mat", {f"track_{part}_info": rows_of})
        for name in (shown[0], shown[-1]):
            (root / f"bbox_{part}/{name[:4]}").mkdir(parents=True, exist_ok=True)
            (root / f"bbox_{part}/{name[:4]}/{name}").write_bytes(b"")
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([query]) + 1})


@pytest.mark.slow
def test_protocol_of_mars_on_tables_of_the_real_shape(tmp_path):
    real_shape(tmp_path / "mars")
    source = torch.Generator().manual_seed(0)
    found = {}
    for gallery, protocol in (("all", "mars-official"), ("minus_queries", "mars-minus-queries")):
        reader = MARS(str(tmp_path), gallery=gallery, check_counts="never")
        splits = reader.splits()
        assert len(splits["query"]) == QUERIES and reader.protocol == "mars-official"
        sides = {n: torch.randn(len(splits[n]), 1, 8, generator=source) for n in splits}
        from reidkit.evaluation import EuclideanMatcher

        found[gallery] = RankingEvaluator(protocol=protocol).evaluate(
            *labelled(
                [Embedding(sides[name]) for name in ("query", "gallery")],
                [splits[name] for name in ("query", "gallery")],
            ),
            EuclideanMatcher(),
        )
        if gallery == "all":
            assert len(splits["gallery"]) == 12180
            assert reader.counts["query"] == (QUERIES, splits["query"].num_identities)
            assert reader.counts["gallery"] == (12180, splits["gallery"].num_identities)
    assert (found["all"].n_query, found["all"].n_valid) == (QUERIES, QUERIES)
    assert found["all"].n_junk == 870
    assert found["minus_queries"].n_valid == QUERIES - UNMATCHED


@pytest.mark.slow
def test_a_query_never_finds_itself(tmp_path):
    """The gallery holds it at distance 0; its own row is left out, so the next one decides."""
    real_shape(tmp_path / "mars")
    splits = MARS(str(tmp_path), check_counts="never").splits()
    query, gallery = splits["query"].select([0]), splits["gallery"]
    identity, camera = query.identities[0], query.cameras[0]
    vectors = torch.full((len(gallery), 1, 2), 9.0)
    vectors += torch.arange(len(gallery)).view(-1, 1, 1) * 1e-2
    own = (gallery.identities == identity) & (gallery.cameras == camera)
    vectors[torch.from_numpy(own)] = 0.0  # nearest of all
    from reidkit.evaluation import EuclideanMatcher

    result = RankingEvaluator(protocol="mars-official").evaluate(
        *labelled((Embedding(torch.zeros(1, 1, 2)), Embedding(vectors)), (query, gallery)),
        EuclideanMatcher(),
    )
    others = (gallery.identities == identity) & ~own
    counted = (gallery.identities >= 0) & ~own
    rank = 1 + int(counted[: np.flatnonzero(others)[0]].sum())
    assert others.sum() == 1 and result.metrics["R1"] == 0.0
    assert result.metrics["mAP"] == pytest.approx(1 / rank, rel=1e-6)


def test_step_and_trapezoid_average_precision():
    ranks, starts = np.array([1, 3]), np.array([0, 2])
    assert average_precision_official(ranks, starts)[0] == pytest.approx(0.791667, abs=1e-6)
    assert average_precision(ranks, starts)[0] == pytest.approx(0.833333, abs=1e-6)


EPOCHS = dict(cnn=2, spatial=1, temporal=1, tune=1)
STAGES = [f"train.stages.{name}.epochs={n}" for name, n in EPOCHS.items()]


def command(data, folder, *more):
    return [
        *("train", str(ROOT / "configs/drsa/drsa.py"), *TINY[:2]),
        *("data=synthped_video_easy", "train.batch_size=16", "settings.workers=0", *STAGES),
        *(f"settings.data_root={data}", "visualizers=[]"),
        *("--work-dir", str(folder), *more),
    ]


@pytest.mark.slow
def test_one_run_with_all_stages_resumed_equals_unbroken(shared_folder, tmp_path, capsys):
    """Stopped after the second stage's checkpoint: the rest is done with the same result."""
    data, whole, part = shared_folder / "data", tmp_path / "whole", tmp_path / "part"
    assert main(command(data, whole)) == 0
    out = capsys.readouterr().out
    assert "stage 4/4" in out and "trained on" in out
    steps = [int(number) for number in re.findall(r"step \d+/(\d+)", out)]
    assert steps[0] == 2 * steps[-1], "a stage's own batch size"
    names = {path.name for path in whole.iterdir()}
    assert {"metrics.json", "head_source.png", "ranks_source.png", "stage1", "stage3"} <= names
    result = json.loads((whole / "metrics.json").read_text())
    assert set(result["logs"]) >= {"loss", "overlap", "map_size", "frame_entropy"}
    assert result["tests"]["source"]["protocol"].startswith("mars-official")
    part.mkdir()
    for stage in ("stage1", "stage2"):
        (part / stage).mkdir()
        (whole / stage / "checkpoints").rename(part / stage / "checkpoints")
    assert main(command(data, part, "--resume")) == 0
    resumed = json.loads((part / "metrics.json").read_text())
    assert resumed["tests"] == result["tests"] and resumed["logs"] == result["logs"]
    assert main(["test", str(part)]) == 0 and "to the last digit" in capsys.readouterr().out


def test_maps_of_clips_and_of_single_crops_are_drawn(tmp_path):
    model = built()[1].eval()
    clips = loaded()
    crops = ReIDBatch(clips.images[:, 0].clone(), clips.identities)
    for name, batch in (("clips", clips), ("crops", crops)):
        model.head.visualize(tmp_path / f"{name}.png", model, batch)
        assert (tmp_path / f"{name}.png").stat().st_size > 0
