"""A tiny data set and tiny runs, for tests of the engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidkit.config import prepare_config
from reidkit.engine.run import Run, complete_run

ROOT = Path(__file__).parents[3]
TINY = [
    "data=synthped_tiny",
    "model.backbone.depth=10",
    "model.backbone.width=8",
    "input.size=(96,32)",
    "train.epochs=1",
    "train.batch_size=24",
    "settings.workers=0",
    "settings.device=cpu",
    "settings.precision=fp32",
    "settings.pictures=False",
    "visualizers=[]",
]


@pytest.fixture
def tiny_run(tiny_data, tmp_path):
    """``tiny_run(config, *overrides)``: a finished run of one epoch on 72 crops."""

    def finished(config: str = "eanet/pcb", *overrides: str, folder: str = "run") -> Run:
        cfg = prepare_config(config, [*TINY, f"settings.data_root={tiny_data}", *overrides])
        return complete_run(cfg, tmp_path / folder)

    return finished


@pytest.fixture
def own_crops(tmp_path):
    """Arguments for eight people of one's own, one query in each of two cameras."""
    rng = np.random.default_rng(1)
    for split, first in (("train", 1), ("query", 501), ("gallery", 501)):
        for person in range(first, first + 8):
            for camera in (1, 2):
                file = tmp_path / "data" / "own" / split / f"{person:04d}" / f"c{camera}_0.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (48, 24, 3), np.uint8)).save(file)
    domain = "dict(type='ImageFolder', root='own', camera=r'c(\\d)')"
    data = f"data=dict(name='own', domains=dict(source={domain}), tests=['source'])"
    config = tmp_path / "own.py"
    config.write_text(f"_base_ = [{str(ROOT / 'configs/eanet/global_pool.py')!r}]\n{data}\n")
    return [
        str(config), *(one for one in TINY if not one.startswith(("data=", "train.batch"))),
        "train.batch_size=8", f"settings.data_root={tmp_path / 'data'}",
        "--work-dir", str(tmp_path / "run"),
    ]  # fmt: skip


def on_a_small_disk(size: str, place: Path, script: str) -> subprocess.CompletedProcess:
    """Run a script with a file system of its own, of that size, at a place."""
    place.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {place}"
    if subprocess.run(["unshare", "-m", "bash", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs unshare and the right to mount a tmpfs")
    return subprocess.run(
        ["unshare", "-m", "bash", "-c", f"{mount} && {script}; find {place} -name '.*'"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip


class TwoParts(torch.nn.Module):
    """A model of two modules.

    Args:
        identities: outputs of the classifier.
    """

    def __init__(self, identities: int = 3):
        super().__init__()
        self.backbone = torch.nn.Linear(2, 2)
        self.head = Head(identities)


class Head(torch.nn.Module):
    """An embedding with batch norm, and a classifier of it."""

    def __init__(self, identities: int):
        super().__init__()
        self.embedding = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        self.classifier = torch.nn.Linear(2, identities)

    def classifier_parameters(self):
        return list(self.classifier.parameters())


@pytest.fixture
def net():
    """``net(identities=3)``: a model in which every parameter can be looked at."""
    return TwoParts
