"""A tiny data set and tiny runs, for tests of the engine."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.run import Run, complete_run

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


@pytest.fixture(scope="session")
def tiny_data(shared_folder) -> Path:
    """A data root in which SynthPed's tiny preset is rendered once a session."""
    from reidkit.synthped.reader import SynthPed

    root = shared_folder / "tiny"
    with open(shared_folder / "tiny_lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for domain in ("A", "B"):
            SynthPed(str(root), domain=domain, preset="tiny").prepare()
    return root


@pytest.fixture
def tiny_run(tiny_data, tmp_path):
    """``tiny_run(config, *overrides)``: a finished run of one epoch on 72 crops."""

    def finished(config: str = "eanet/pcb", *overrides: str, folder: str = "run") -> Run:
        cfg = prepare_config(config, [*TINY, f"settings.data_root={tiny_data}", *overrides])
        return complete_run(cfg, tmp_path / folder)

    return finished


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
