"""The plugin keeps its promises, its parts are the formulas, and the method learns."""

import numpy as np
import pytest
import torch

from reidkit.plugin import load_plugins
from reidkit.registry import LOSSES
from reidkit.testing import check_plugin, train_and_test
from reidkit.testing.supply import fake_supply


@pytest.fixture(autouse=True)
def plugin():
    load_plugins(["strongbaseline"])


def test_the_plugin_keeps_its_promises():
    report = check_plugin("strongbaseline")
    assert not report.broken, str(report)


def make(people: int, **options):
    """The loss for vectors of six numbers, as the framework builds it."""
    known = fake_supply("losses", num_identities=people, width=6)
    return LOSSES.build(dict(type="strongbaseline/CentreLoss", **options), known)


def test_centres_against_loops():
    loss = make(4, rate=0.3)
    source = np.random.default_rng(0)
    centres = np.zeros((4, 6))
    for _ in range(3):
        vectors, identities = source.normal(size=(8, 1, 6)), source.integers(0, 4, 8)
        value = loss(torch.tensor(vectors).float(), torch.tensor(identities))
        slow = np.mean(
            [((v[0] - centres[i]) ** 2).sum() / 2 for v, i in zip(vectors, identities, strict=True)]
        )
        assert float(value) == pytest.approx(slow, rel=1e-5)
        for k in range(4):
            mine = [v[0] - centres[k] for v, i in zip(vectors, identities, strict=True) if i == k]
            if mine:
                centres[k] = centres[k] + 0.3 * sum(mine) / (1 + len(mine))
        np.testing.assert_allclose(loss.centres.numpy(), centres, rtol=1e-4, atol=1e-6)


def test_centres_rest_in_evaluation():
    loss = make(2).eval()
    loss(torch.ones(2, 1, 6), torch.tensor([0, 1]))
    assert not loss.centres.any()


def test_vectors_of_another_length_are_refused():
    loss = make(2)
    with pytest.raises(ValueError, match="keeps centres of 6 numbers.*but its vectors have 8"):
        loss(torch.ones(2, 1, 8), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="rate must be in"):
        make(2, rate=2.0)


def test_it_learns(tiny_synthped, tmp_path):
    trial = train_and_test("strongbaseline/bot", tiny_synthped, tmp_path / "run")
    first, last = trial.losses["loss"]
    assert last < first
    assert set(trial.losses) == {"loss", "loss_id", "loss_triplet", "loss_centre"}
    assert trial.metrics["source"]["mAP"] > trial.chance["source"]["mAP"]
