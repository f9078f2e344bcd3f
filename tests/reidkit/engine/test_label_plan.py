"""What a run would need for its labels, known before any data is opened."""

import json
from pathlib import Path

import pytest

from reidkit.config import prepare_config
from reidkit.engine.domains import Domains
from reidkit.engine.dry_run import dry_run_problems
from reidkit.engine.label_plan import label_plan, labeller_notices, unlabelled

QUICK = ("settings.workers=0", "input.size=(96,32)")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config of a method that pools by keypoints, with nothing in its data root."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def make(*overrides):
        return prepare_config("eanet/pap", [*QUICK, f"settings.data_root={tmp_path}", *overrides])

    return make


def test_weights_that_will_be_fetched_are_said(config, tmp_path):
    cfg = config("data=cuhk01")
    (line,) = labeller_notices(cfg)
    assert line.startswith(
        "pose model rtmpose-m_8xb256-420e_coco-256x192: its weights are not here"
    )
    assert f"into {tmp_path}/pose/, or import keypoints" in line
    assert not dry_run_problems(cfg)
    assert labeller_notices(config("data=synthped_tiny")) == []


def test_what_cannot_label_is_a_problem_of_the_check(config, tmp_path):
    missing = f"data.labeller.checkpoint={tmp_path}/no.pth"
    for overrides, text in (
        (("data=cuhk01", missing), "no.pth: no such checkpoint file"),
        (("data=cuhk01", "pose=synthped"), "made for SynthPed's renderings"),
        (("data=cuhk01", "pose=rtmpose-x"), "no pose config 'rtmpose-x'; did you mean 'rtmpose-"),
        (("data=synthped_tiny_to_cuhk01", "pose=synthped"), "made for SynthPed's renderings"),
    ):
        (problem,) = dry_run_problems(config(*overrides))
        assert problem.where == "data.labeller" and text in problem.what
        assert "--import FILE" in problem.hint


def test_labels_that_are_there_need_no_labeller(config, tmp_path):
    root = tmp_path / "labels"
    overrides = ("data=cuhk01", "pose=synthped", f"settings.label_root={root}")
    assert [problem.where for problem in dry_run_problems(config(*overrides))] == ["data.labeller"]
    (root / "cuhk01-0/train").mkdir(parents=True)
    (root / "cuhk01-0/train/meta.json").write_text(json.dumps({}))
    assert not dry_run_problems(config(*overrides))


def test_each_set_is_labelled_by_the_model_that_fits_it(config):
    cfg = config("data=synthped_tiny_to_cuhk01")
    kinds = dict(unlabelled(cfg, label_plan(cfg)))
    assert kinds == {"source": "synthped", "target": "photographs"}
    joined = config("data=[cuhk01,viper]")
    wanted = list(unlabelled(joined, label_plan(joined)))
    assert wanted == [("source", "photographs")] * 2


def test_labels_lie_in_the_data_root_or_where_the_setting_says(config, tmp_path):
    assert Domains(config("data=cuhk01")).label_root == tmp_path / "part_labels"
    cfg = config("data=cuhk01", "settings.label_root=/elsewhere")
    assert Domains(cfg).label_root == Path("/elsewhere")


def test_a_method_without_keypoints_needs_no_labeller(tmp_path):
    cfg = prepare_config("eanet/pcb", [*QUICK, "data=cuhk01", f"settings.data_root={tmp_path}"])
    assert list(unlabelled(cfg, label_plan(cfg))) == []
