"""The oracles train on composites of the identities that the source has."""

import json

import pytest

from reidkit.cli.train import main as train
from reidkit.config import prepare_config
from reidkit.engine.prerequisites import needed_config

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "config, domain, loss",
    [
        ("oracle", "composites", "composites"),
        ("oracle_fine", "recoloured", "fine"),
        ("oracle_taught", "composites", "composites"),
    ],
)
def test_composites_are_classified_beside_the_real_crops(tmp_path, capsys, config, domain, loss):
    small = ["data=synthped_tiny", f"data.domains.{domain}.preset=tiny", "input.size=(64,32)"]
    small += [f"data.domains.{domain}.each=1", "train.epochs=1", "train.batch_size=24"]
    small += ["model.backbone.width=8", "settings.workers=0", "settings.pictures=False"]
    where = [f"settings.data_root={tmp_path}", 'data.tests=["source"]']
    where += [f"settings.work_dir={tmp_path / 'runs'}"]
    if config == "oracle_taught":
        few = ["train.epochs=1", "train.batch_size=24", "model.backbone.width=8"]
        small += [f"prerequisites.teacher.overrides={few}"]
    run = ["--work-dir", str(tmp_path / "run")]
    assert train([f"configs/dgnet/{config}.py", *small, *where, *run]) == 0
    assert f"{loss} " in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["tests"]["source"]["n_valid"] == 8


def test_the_teacher_of_the_oracle_is_the_one_of_the_method():
    """Composites are domains of the oracle alone: its teacher learns from real crops."""
    oracle, method = (prepare_config(f"dgnet/{name}") for name in ("oracle_taught", "dgnet"))
    assert "composites" in oracle.data.domains
    teachers = [needed_config(cfg, cfg.prerequisites.teacher) for cfg in (oracle, method)]
    assert teachers[0].to_dict() == teachers[1].to_dict()
