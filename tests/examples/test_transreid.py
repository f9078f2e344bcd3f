"""A paper that needs what reidkit does not know, added as a stranger does: reidkit stays as it is.

A backbone that reads the batch, tensors of its own between head and loss, a label of a data set.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

PROJECT = Path(__file__).parents[2] / "examples" / "reidkit-transreid"


def test_it_uses_the_public_api_only(private_imports):
    assert private_imports(PROJECT) == []


@pytest.mark.slow
def test_installed_checked_trained_and_tested(env, install, tiny_synthped, tmp_path):  # noqa: F811
    reidkit = ("python", "-m", "reidkit.cli.main")
    copy = install(PROJECT)
    checked = env(*reidkit, "plugins", "check", "transreid").splitlines()
    assert checked[-1].endswith("checks passed") and not any("BROKEN" in line for line in checked)
    # tensors of its own and a label of its own reach the losses, even in the check
    for loss in ("JigsawLoss", "ViewpointLoss"):
        scalar = "documented, built, scalar, gradients and float64 checked"
        assert f"  transreid/{loss}: {scalar}" in checked
    own = env(
        "python", "-m", "pytest", "-q", "-k", "not learns and not promises", str(copy / "tests")
    )
    assert "passed" in own.splitlines()[-1] and "failed" not in own
    # without the data set that brings the label, nothing is opened, and who could bring it is said
    refused = env(*reidkit, "train", "transreid/viewpoint", "data=synthped", "--check", status=2)
    assert "ViewpointLoss asks for 'viewpoint'" in refused
    assert "transreid/SynthPedViewpoints brings it (data.domains)" in refused

    run = tmp_path / "run"
    small = ("settings.workers=0", "settings.pictures=False", "settings.precision=fp32")
    small += ("train.epochs=15",)
    out = env(
        *reidkit, "train", "transreid/viewpoint", "data=synthped_viewpoints_tiny",
        f"settings.data_root={tiny_synthped}", *small, "--work-dir", str(run),
    )  # fmt: skip
    losses = [float(value) for value in re.findall(r"step \d+/\d+  loss ([\d.]+)", out)]
    assert losses[-1] < losses[0] / 1.3
    assert re.search(r"jigsaw [\d.]+  viewpoint [\d.]+  accuracy_viewpoint", out)
    tests = json.loads((run / "metrics.json").read_text())["tests"]
    # a rank of chance among 28 images with 3 right ones or fewer gives 0.23
    assert set(tests) == {"source", "target"} and tests["source"]["metrics"]["mAP"] > 0.3
    assert "to the last digit" in env(*reidkit, "test", str(run))
