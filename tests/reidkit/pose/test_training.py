import json
import re

import numpy as np
import pytest
import torch

from reidkit.data.split import Split
from reidkit.pose.calibrate import calibrate, calibrate_model, save_weights
from reidkit.pose.labeller import TopdownLabeller
from reidkit.pose.training import Recipe, export_split, join_splits, train_pose


@pytest.fixture
def posed(crops):
    """A split of 12 crops with joints, some hidden."""
    split = crops(12)
    rng = np.random.default_rng(0)
    joints = rng.uniform(2, 20, (12, 17, 3))
    joints[..., 2] = rng.integers(0, 3, (12, 17))
    kept = {name: getattr(split, name) for name in ("paths", "identities", "cameras", "root")}
    return Split("toy", "train", keypoints=joints, **kept)


def test_hidden_joints_are_trained_as_absent(posed, tmp_path):
    export_split(posed, tmp_path / "k.json")
    found = [a["keypoints"] for a in json.loads((tmp_path / "k.json").read_text())["annotations"]]
    flags = np.array(found).reshape(12, 17, 3)[..., 2]
    assert (flags == np.where(posed.keypoints[..., 2] == 2, 2, 0)).all()


@pytest.mark.slow
def test_training_runs_through_mmpose_and_its_weights_label(posed, tmp_path):
    model = train_pose(posed, posed, tmp_path / "work", Recipe(2, 4, 0, seed=1))
    log = (tmp_path / "work").rglob("*.log")
    text = "".join(file.read_text() for file in log)
    assert re.search(r"Epoch\(train\)\s+\[2\]\[3/3\]", text)
    assert "PCK" in text
    gamma, right = calibrate_model(model, posed)
    save_weights(model, tmp_path / "w.safetensors", gamma, {"data": "toy"})
    labeller = TopdownLabeller("synthped", str(tmp_path / "w.safetensors"), device="cpu")
    assert labeller.gamma == pytest.approx(gamma, abs=1e-4)
    found = labeller.label([np.zeros((128, 64, 3), np.uint8)])
    assert np.isfinite(found).all()
    again = train_pose(
        posed, posed, tmp_path / "more", Recipe(1, 4, 0, rate=0.0), tmp_path / "w.safetensors"
    )
    for name, value in again.named_parameters():
        assert torch.allclose(value, model.get_parameter(name), atol=1e-3, rtol=1e-2)


def test_calibration_puts_the_best_cut_at_the_threshold():
    rng = np.random.default_rng(0)
    visible = rng.random(5000) < 0.6
    scores = np.clip(
        np.where(visible, rng.normal(0.7, 0.1, 5000), rng.normal(0.2, 0.1, 5000)), 0, 1
    )
    gamma, right = calibrate(scores, visible)
    assert ((scores**gamma > 0.1) == visible).mean() == pytest.approx(right)
    assert right > 0.98


def test_splits_join_in_order(posed):
    both = join_splits([posed, posed.select([3, 1])])
    assert both.paths[-2:] == (posed.paths[3], posed.paths[1])
    assert (both.keypoints[-1] == posed.keypoints[1]).all()
