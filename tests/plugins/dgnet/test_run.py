"""Whole runs: the teacher trained first, killed and resumed, two processes, and what comes out."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from reidkit.cli.common import run_cli
from reidkit.cli.generate import main as generate
from reidkit.cli.train import main as train
from reidkit.config import prepare_config
from reidkit.data.crops import CropDataset
from reidkit.data.datasets.market1501 import Market1501
from reidkit.engine.prerequisites import train_prerequisites
from reidkit.engine.products.image_quality_hook import ImageQualityHook
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SMALL = (
    "data=market1501", "input.size=(64,32)", "train.batch_size=8", "train.sampler.steps=2",
    "train.epochs=3", "settings.workers=0", "settings.device=cpu", "settings.pictures=False",
)  # fmt: skip
NARROW = (
    "model.backbone.width=8", "model.networks.structure_dim=2", "model.networks.mlp_dim=8",
    "model.networks.dim=8", "model.networks.discriminator_dim=4",
    "model.networks.dilations=(1,2,3)", "model.terms.primary.start=1",
    "model.terms.primary.ramp=2", "model.terms.cycle.start=1", "model.terms.cycle.ramp=2",
    "~prerequisites.generator",  # all in one run, as the paper has it
    'prerequisites.teacher.overrides=["train.epochs=1","train.batch_size=8","model.backbone.width=8"]',
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Market-1501's layout with drawn figures: clothes by identity, place by camera."""
    folder = tmp_path_factory.mktemp("dgnet")
    rng = np.random.default_rng(0)
    for part, people in (("bounding_box_train", 6), ("query", 3), ("bounding_box_test", 3)):
        place = folder / "data" / "market1501" / part
        place.mkdir(parents=True)
        first = 1 if "train" in part else 11
        for person in range(first, first + people):
            for camera in (1, 2) if part != "query" else (1,):
                for number in range(2 if "train" in part else 1):
                    name = f"{person:04d}_c{camera}s1_{number:06d}_{int(part == 'query'):02d}.jpg"
                    cv2.imwrite(str(place / name), figure(person, camera, rng))
    return folder


def figure(person: int, camera: int, rng) -> np.ndarray:
    image = np.full((128, 64, 3), 60 + 60 * camera, np.uint8)
    colours = np.random.default_rng(person).integers(0, 256, (2, 3)).tolist()
    x = int(rng.integers(14, 26))
    cv2.rectangle(image, (x, 30), (x + 22, 70), colours[0], -1)
    cv2.rectangle(image, (x + 3, 70), (x + 19, 120), colours[1], -1)
    cv2.circle(image, (x + 11, 20), 9, (150, 180, 220), -1)
    return image


def arguments(root: Path, folder: str | None, *more: str) -> list[str]:
    """A command line; without a folder the run goes where ``settings.work_dir`` says."""
    where = [f"settings.data_root={root / 'data'}", f"settings.work_dir={root / 'runs'}"]
    named = ["--work-dir", str(root / folder)] if folder else []
    return ["configs/dgnet/dgnet.py", *SMALL, *NARROW, *where, *named, *more]


@pytest.fixture(scope="module")
def unbroken(root) -> Path:
    os.chdir(ROOT)
    assert train(arguments(root, "unbroken")) == 0
    return root / "unbroken"


def command(root: Path, folder: str | None, *more: str) -> list[str]:
    return [sys.executable, "-m", "reidkit.cli.main", "train", *arguments(root, folder, *more)]


def test_the_teacher_is_trained_first_and_the_run_leaves_samples(unbroken, root):
    teacher = root / "runs" / "dgnet-teacher-market1501-quick-s0"
    assert (teacher / "metrics.json").exists()
    assert f"run='{teacher}'" in (unbroken / "config.py").read_text().replace('"', "'")
    assert set(json.loads((unbroken / "metrics.json").read_text())["tests"]) == {"source"}
    samples = sorted(p.name for p in (unbroken / "samples").iterdir())
    assert samples == ["swap_000002.png", "swap_000004.png", "swap_000006.png"]
    sheet = cv2.imread(str(unbroken / "samples" / samples[-1]))
    assert sheet.shape[0] > 7 * 64 and sheet.shape[1] > 7 * 32
    state = load_checkpoint(unbroken / "checkpoints/last.pth")
    assert int(state["state_dict"]["iteration"]) == 6
    assert set(state["optimizer"]) == {"reid", "generator", "discriminator"}
    assert not any("teacher" in name for name in state["state_dict"])


def test_rows_go_on_from_the_generator_that_they_share(root):
    """Its networks and its iteration, from which the terms count; trained first, once."""
    few = ("train.batch_size=8", "train.sampler.steps=2", "train.epochs=1")
    sizes = [one for one in NARROW if one.startswith(("model.backbone", "model.networks"))]
    shared = [one for one in NARROW if one.startswith("model.")]
    overrides = [*few, *sizes]
    where = [f"settings.data_root={root / 'data'}", f"settings.work_dir={root / 'runs'}"]
    given = [*SMALL, *shared, *where, f"prerequisites.generator.overrides={overrides!r}"]
    one = ["--work-dir", str(root / "shared"), "train.epochs=1", "model.generator_interval=2"]
    assert train(["configs/dgnet/no_composites.py", *given, *one]) == 0
    generator = load_checkpoint(
        root / "runs/dgnet-generator-market1501-quick-s0/checkpoints/last.pth"
    )["state_dict"]
    state = load_checkpoint(root / "shared/checkpoints/last.pth")["state_dict"]
    assert (int(generator["iteration"]), int(state["iteration"])) == (2, 4)
    moved = [(state[name] - value).abs().max() for name, value in generator.items()
             if name.endswith("weight") and "decoder" in name]  # fmt: skip
    assert 0 < max(moved) < 0.05  # a step of Adam at 4e-4 from the same weights


def test_killed_and_resumed_equals_unbroken(unbroken, root):
    """Weights, optimisers, ramps: all as if nothing had happened, by the same command."""
    folder = root / "runs" / "dgnet-dgnet-market1501-quick-s0"
    process = subprocess.Popen(command(root, None), cwd=ROOT, env=one_thread())
    deadline = time.time() + 200
    while not (folder / "checkpoints" / "last.pth").exists() and time.time() < deadline:
        time.sleep(0.02)
        assert process.poll() is None, "ended before its first checkpoint"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "metrics.json").exists()
    at = int(load_checkpoint(folder / "checkpoints/last.pth")["state_dict"]["iteration"])
    assert at in (2, 4)
    assert train(arguments(root, None, "--resume")) == 0
    ours, theirs = (load_checkpoint(f / "checkpoints/last.pth") for f in (folder, unbroken))
    for name, value in theirs["state_dict"].items():
        assert torch.allclose(ours["state_dict"][name], value, rtol=1e-5, atol=1e-6), name
    for name, optimizer in theirs["optimizer"].items():
        assert same(ours["optimizer"][name], optimizer), name
    tests = [json.loads((f / "metrics.json").read_text())["tests"] for f in (folder, unbroken)]
    assert tests[0] == tests[1]


def same(one, two) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.allclose(one.float(), two.float(), rtol=1e-5, atol=1e-6)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


def one_thread(**extra: str) -> dict:
    return {**os.environ, "OMP_NUM_THREADS": "1", **extra}


def test_two_processes_share_gradients(unbroken, root):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, "--master-port", str(port), *command(root, "ddp", "train.epochs=1")[1:]],
        cwd=ROOT,
        env=one_thread(GLOO_SOCKET_IFNAME="lo"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("trained on") == 1
    assert (root / "ddp" / "metrics.json").exists()


def test_pictures_and_data_sets_from_a_run(unbroken, root, monkeypatch):
    monkeypatch.chdir(ROOT)
    grid, steps, data = root / "grid.png", root / "steps.png", root / "made" / "market1501"
    asked = ["--grid", str(grid), "--interpolate", str(steps), "--rows", "0", "9"]
    assert generate([str(unbroken), *asked, "--steps", "5", "--dataset", str(data)]) == 0
    assert cv2.imread(str(grid)).shape[1] > 3 * 32
    assert cv2.imread(str(steps)).shape[1] > 5 * 32
    splits = Market1501(str(root / "made")).splits()
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 24, "query": 3, "gallery": 6,
    }  # fmt: skip
    original = Market1501(str(root / "data")).splits()["train"]
    assert sorted(splits["train"].identities) == sorted(original.identities)
    rows = list(csv.DictReader((data / "composites.csv").open()))
    for row in rows:
        name = row["file"]
        assert name[:4] == Path(row["appearance"]).name[:4]  # clothes give the label
        assert name[5:7] == Path(row["structure"]).name[5:7]  # the place gives the camera
    assert cv2.imread(str(data / "bounding_box_train" / rows[0]["file"])).shape == (64, 32, 3)


def test_refusals_of_the_tool(unbroken, root, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert run_cli(generate, [str(unbroken)]) == 2
    assert "say what to make" in capsys.readouterr().err
    teacher = root / "runs" / "dgnet-teacher-market1501-quick-s0"
    assert run_cli(generate, [str(teacher), "--grid", "x.png"]) == 2
    assert "ReIDModel generates no images" in capsys.readouterr().err
    assert run_cli(generate, [str(unbroken), "--grid", "x.png", "--rows", "99"]) == 2
    assert "train has rows 0..23" in capsys.readouterr().err
    assert run_cli(generate, [str(unbroken), "--dataset", str(root / "data")]) == 2
    assert "holds something already" in capsys.readouterr().err


def test_quality_of_the_composites(unbroken, root, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = root / "quality.json"
    assert generate([str(unbroken), "--quality", "--out", str(out)]) == 0
    numbers = json.loads(out.read_text())
    assert numbers["re-id Frechet distance (not FID)"] > 0 and numbers["composites"] == 24
    for what in ("within identity, composites", "within identity, real", "self-reconstruction"):
        assert -1 <= numbers[f"SSIM {what}"] <= 1


def test_quality_over_time(unbroken, root, monkeypatch):
    """A row per measurement, the last as the tool gives it, the training as without."""
    monkeypatch.chdir(ROOT)
    folder, out = root / "measured", root / "end.json"
    hook = "+hooks.quality=ImageQualityHook", "+hooks.quality.interval=2"
    assert train(arguments(root, "measured", *hook)) == 0
    ours, theirs = (load_checkpoint(f / "checkpoints/last.pth") for f in (folder, unbroken))
    for name, value in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], value), name
    rows = list(csv.DictReader((folder / "image_quality.csv").open()))
    assert [row.pop("iteration") for row in rows] == ["4", "6"]
    assert generate([str(folder), "--quality", "--out", str(out)]) == 0
    numbers = json.loads(out.read_text())
    for name, value in rows[-1].items():
        assert float(value) == pytest.approx(numbers[name], rel=0.02), name  # bf16
    distance = "re-id Frechet distance (not FID)"
    assert rows[0][distance] != rows[1][distance]
    assert cv2.imread(str(folder / "image_quality.png")).shape[1] > 1000

    model = Run.open(folder).model
    data = Market1501(str(root / "data")).splits()["train"]
    runner = SimpleNamespace(
        model=model, work_dir=folder, iter=4, cfg={},
        train_dataloader=SimpleNamespace(dataset=CropDataset(data, (64, 32))),
    )  # fmt: skip
    hook = ImageQualityHook()
    hook.before_train(runner)  # resumed after iteration 4: what came later is made again
    assert [row["iteration"] for row in hook.rows] == [4]
    assert not hook.quality.distances  # this config needs no run
    runner.model = torch.nn.Linear(1, 1)
    with pytest.raises(UserError, match="Linear generates no images"):
        hook.before_train(runner)
    with pytest.raises(ValueError, match="at least 1"):
        ImageQualityHook(interval=0)


def test_a_teacher_of_another_recipe_is_refused_unless_it_is_named(unbroken, root):
    """Under the usual name, finished or not; the message says what differs and what to do."""
    teacher = root / "runs/dgnet-teacher-market1501-quick-s0"
    where = [f"settings.data_root={root / 'data'}", f"settings.work_dir={root / 'runs'}"]
    cfg = prepare_config("dgnet/dgnet", [*SMALL, *NARROW, *where])
    need = cfg.prerequisites.teacher
    trained = []
    train_prerequisites(cfg, lambda *given: trained.append(given))
    assert need.run == str(teacher) and not trained
    metrics = (teacher / "metrics.json").read_text()
    need.overrides = [*need.overrides, "train.schedule.pct_start=0.2"]
    for state in ("finished", "unfinished"):
        if state == "unfinished":
            (teacher / "metrics.json").unlink()
        need.run = None
        with pytest.raises(UserError) as error:
            train_prerequisites(cfg, lambda *given: trained.append(given))
        assert "train.schedule.pct_start: 0.3 -> 0.2\nmove that folder away" in str(error.value)
        assert f"prerequisites.teacher.run={teacher}" in str(error.value) and not trained
    (teacher / "metrics.json").write_text(metrics)
    need.run = str(teacher)
    train_prerequisites(cfg, lambda *given: trained.append(given))
    assert need.run == str(teacher) and not trained


def test_a_teacher_of_other_data_is_refused(unbroken, root, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = f"prerequisites.teacher.run={root / 'nowhere'}"
    assert run_cli(train, arguments(root, "other", given)) == 2
    assert "holds no finished run; train it with" in capsys.readouterr().err
    given = [f"prerequisites.teacher.run={root / 'runs/dgnet-teacher-market1501-quick-s0'}"]
    assert run_cli(train, arguments(root, "other", *given, "input.size=(128,64)")) == 2
    assert "was trained with another input.size: [64, 32], not [128, 64]" in capsys.readouterr().err
