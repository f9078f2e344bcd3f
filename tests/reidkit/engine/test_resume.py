"""Which run ``--resume`` continues, and what it says and refuses."""

import pytest
import torch

from reidkit.config import prepare_config, render
from reidkit.engine.resume import changes, continuation, resumable
from reidkit.errors import UserError

NAME = "eanet-pcb-synthped-quick-s0"


def config(*overrides):
    return prepare_config("eanet/pcb", list(overrides))


def run(parent, name, cfg, epoch=3, finished=False):
    folder = parent / name
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.py").write_text(render(cfg))
    torch.save(dict(meta=dict(epoch=epoch), state_dict={}), folder / "checkpoints" / "last.pth")
    if finished:
        (folder / "metrics.json").write_text("{}")
    return folder


def test_the_newest_unfinished_run_of_the_same_experiment(tmp_path):
    run(tmp_path, NAME, config())
    wanted = run(tmp_path, f"{NAME}-2", config("settings.workers=0", "evaluation.bootstrap=9"))
    run(tmp_path, f"{NAME}-3", config("train.epochs=30"))
    run(tmp_path, f"{NAME}-4", config(), finished=True)
    assert resumable(tmp_path, NAME, config()) == wanted


def test_a_run_without_a_checkpoint_is_taken_only_where_none_has_one(tmp_path):
    empty = tmp_path / f"{NAME}-2"
    empty.mkdir()
    assert resumable(tmp_path, NAME, config()) == empty
    assert continuation(config(), empty) == (
        "resumes nothing: no epoch of that run was kept, it starts anew"
    )
    started = run(tmp_path, NAME, config())
    assert resumable(tmp_path, NAME, config()) == started


def test_another_experiment_is_refused_with_what_differs(tmp_path):
    folder = run(tmp_path, NAME, config("train.epochs=30", "model.losses.id.weight=0.5"))
    with pytest.raises(UserError) as error:
        resumable(tmp_path, NAME, config())
    epochs, weight = config().train.epochs, config().model.losses.id.get("weight", "not set")
    assert str(error.value) == (
        f"--resume: {folder} is another experiment (there -> here):\n"
        f"  model.losses.id.weight: 0.5 -> {weight}\n"
        f"  train.epochs: 30 -> {epochs}\n"
        f"repeat its overrides, or go on with these changes: --work-dir {folder} --resume"
    )


def test_runs_that_it_builds_on(tmp_path):
    """They are filled in when a run begins, so the command that began it names none."""

    def student(teacher=None):
        given = [f"prerequisites.teacher.run={teacher}"] if teacher else []
        return prepare_config("dgnet/dgnet", given)

    usual = "runs/dgnet-teacher-synthped_few_shot-quick-s0"
    folder = run(tmp_path, "dgnet", student(usual))
    assert resumable(tmp_path, "dgnet", student()) == folder
    assert changes(student(usual), folder) == []
    key = "prerequisites.teacher.run"
    assert changes(student("runs/other"), folder) == [f'{key}: "{usual}" -> "runs/other"']
    named = run(tmp_path, "named", student("runs/other"))
    assert changes(student(), named) == [f'{key}: "runs/other" -> null']


def test_nothing_to_resume(tmp_path):
    run(tmp_path, NAME, config(), finished=True)
    with pytest.raises(UserError, match=f"--resume: no unfinished run named {NAME} in "):
        resumable(tmp_path, NAME, config())


def test_changes_of_a_named_folder_are_told(tmp_path):
    folder = run(tmp_path, "mine", config("train.epochs=30"))
    assert changes(config("train.epochs=30"), folder) == []
    assert continuation(config("train.epochs=40"), folder) == (
        "resumes after epoch 3 of 40\nresumes with train.epochs: 30 -> 40"
    )


def test_a_run_that_trained_longer_is_refused(tmp_path):
    folder = run(tmp_path, "mine", config(), epoch=22)
    with pytest.raises(UserError) as error:
        continuation(config("train.epochs=12"), folder)
    assert str(error.value) == (
        f"{folder}: has trained 22 epochs, more than train.epochs=12; give the epochs of that run, "
        "or train another one"
    )


def test_a_run_in_stages_says_how_far_it_came(tmp_path):
    (tmp_path / "stage1" / "checkpoints").mkdir(parents=True)
    (tmp_path / "stage1" / "checkpoints" / "last.pth").touch()
    assert continuation(config(), tmp_path) == "resumes in or after stage 1"
