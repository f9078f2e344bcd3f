"""The oracles train on composites of the identities that the source has."""

import json

import pytest

from reidkit.cli.train import main as train

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "config, domain, loss",
    [("oracle", "composites", "composites"), ("oracle_fine", "recoloured", "fine")],
)
def test_composites_are_classified_beside_the_real_crops(tmp_path, capsys, config, domain, loss):
    small = ["data=synthped_tiny", f"data.domains.{domain}.preset=tiny", "input.size=(64,32)"]
    small += [f"data.domains.{domain}.each=1", "train.epochs=1", "train.batch_size=24"]
    small += ["model.backbone.width=8", "settings.workers=0", "settings.pictures=False"]
    where = [f"settings.data_root={tmp_path}", 'data.tests=["source"]']
    run = ["--work-dir", str(tmp_path / "run")]
    assert train([f"configs/dgnet/{config}.py", *small, *where, *run]) == 0
    assert f"{loss} " in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["tests"]["source"]["n_valid"] == 8
