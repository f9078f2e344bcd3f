"""The bare loop of examples/plain_train.py trains as the run does, bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.devices import choose_device
from reidkit.engine.domains import Domains
from reidkit.engine.run import Run
from reidkit.models.reid_model import ReIDModel

FILE = Path(__file__).parents[2] / "examples" / "plain_train.py"
STEPS = 8  # of 9: the warm-up ends after three
OVERRIDES = [
    "data=synthped_tiny",
    "train.epochs=3",
    "model.backbone.depth=10",
    "model.backbone.width=8",
    "settings.workers=0",
    "settings.device=cpu",
    "visualizers=[]",
]


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("plain_train", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Enough(Exception):
    """Raised when the run has taken as many steps as the loop."""


@pytest.mark.slow
def test_losses_of_the_first_steps_are_equal(example, shared_folder, tmp_path, monkeypatch):
    cfg = prepare_config(
        example.CONFIG, [*OVERRIDES, f"settings.data_root={shared_folder / 'tiny'}"]
    )
    torch.manual_seed(1)  # whatever was drawn before
    _, logs = example.train(cfg, Domains(cfg, choose_device("cpu")), STEPS)
    seen, parse_losses = [], ReIDModel.parse_losses

    def noted(self, losses):
        if len(seen) == STEPS:
            raise Enough
        seen.append({name: float(value.detach()) for name, value in losses.items()})
        return parse_losses(self, losses)

    monkeypatch.setattr(ReIDModel, "parse_losses", noted)
    run = Run(cfg, tmp_path / "run", choose_device("cpu"))
    run.precision = example.choose_precision(cfg.settings.precision, run.device)
    run.prepare()
    with pytest.raises(Enough):
        run.train()
    assert len(logs) == STEPS and logs == seen


def test_it_reads_in_one_screen_and_a_half():
    assert len(FILE.read_text().splitlines()) <= 120
