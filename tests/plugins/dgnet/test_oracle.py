"""The oracle trains on composites of the identities that the source has."""

import json

import pytest

from reidkit.cli.train import main as train

pytestmark = pytest.mark.slow


def test_composites_are_classified_beside_the_real_crops(tmp_path, capsys):
    small = ["data=synthped_tiny", "data.domains.composites.preset=tiny", "input.size=(64,32)"]
    small += ["data.domains.composites.each=1", "train.epochs=1", "train.batch_size=24"]
    small += ["model.backbone.width=8", "settings.workers=0", "settings.pictures=False"]
    where = [f"settings.data_root={tmp_path}", 'data.tests=["source"]']
    run = ["--work-dir", str(tmp_path / "run")]
    assert train(["configs/dgnet/oracle.py", *small, *where, *run]) == 0
    assert "composites" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["tests"]["source"]["n_valid"] == 8
