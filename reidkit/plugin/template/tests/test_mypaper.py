"""The plugin keeps its promises, its loss is the formula, and the method learns."""

import math

import pytest
import torch

from reidkit.plugin import load_plugins
from reidkit.registry import LOSSES
from reidkit.testing import check_plugin, train_and_test


def test_the_plugin_keeps_its_promises():
    report = check_plugin("mypaper")
    assert not report.broken, str(report)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_loss_by_hand(temperature):
    load_plugins(["mypaper"])
    loss = LOSSES.build(dict(type="mypaper/MypaperLoss", temperature=temperature))
    logits, identities = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]]), torch.tensor([0, 1])
    by_hand = [math.log(1 + math.exp(-gap / temperature)) for gap in (1.0, 2.0)]
    assert float(loss(logits, identities)) == pytest.approx(sum(by_hand) / 2, rel=1e-6)


def test_it_learns(tiny_synthped, tmp_path):
    run = train_and_test("mypaper/baseline", tiny_synthped, tmp_path / "run", ["train.epochs=6"])
    first, last = run.losses["loss"]
    assert last < first
    assert run.metrics["source"]["mAP"] > run.chance["source"]["mAP"]
