"""A run folder of a stranger is data: no door executes anything that lies in it."""

import shutil
from pathlib import Path

import pytest
import torch

import reidkit
from reidkit.cli import extract, generate, show_correspondences, test, train
from reidkit.config import prepare_config, render
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.folder import CHECKPOINT
from reidkit.engine.prerequisites import train_prerequisites
from reidkit.engine.resume import changes
from reidkit.engine.run import complete_run
from reidkit.errors import UserError

SMALL = ["model.backbone.depth=10", "model.backbone.width=8", "settings.device=cpu"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder with a finished run."""
    cfg = prepare_config("eanet/pcb", SMALL)
    folder = tmp_path_factory.mktemp("finished") / "run"
    (folder / CHECKPOINT).parent.mkdir(parents=True)
    (folder / "config.py").write_text(render(cfg))
    (folder / "metrics.json").write_text("{}")
    meta = dict(epoch=1, training_set=dict(num_identities=5, cameras=[]))
    state = build_model(cfg, TrainingSet(5)).state_dict()
    torch.save(dict(state_dict=state, meta=meta), folder / CHECKPOINT)
    return folder


@pytest.fixture
def hostile(finished, tmp_path):
    """A copy of that folder, code that leaves a mark, and the mark's place."""
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    code = f"open({str(tmp_path / 'mark')!r}, 'w')\n"
    return folder, code, tmp_path / "mark"


def doors(folder, out, *more):
    """Every way into a run folder."""
    run = str(folder)
    cfg = prepare_config("eanet/pcb", SMALL)
    needs = prepare_config("eanet/pcb", SMALL)
    needs["prerequisites"] = dict(teacher=dict(config="eanet/pcb", run=run, overrides=SMALL))
    return {
        "test": lambda: test.main([run, *more]),
        "extract": lambda: extract.main([run, "--out", str(out), *more]),
        "generate": lambda: generate.main([run, "--grid", str(out / "x.png"), *more]),
        "show": lambda: show_correspondences.main([run, *more]),
        "load": lambda: reidkit.load(run, more),
        "resume": lambda: train.main(["eanet/pcb", *SMALL, "--work-dir", run, "--resume"]),
        "changes": lambda: changes(cfg, folder),
        "prerequisite": lambda: train_prerequisites(needs, lambda *args: None),
    }


def replace(folder, old, new):
    text = (folder / "config.py").read_text()
    assert old in text
    (folder / "config.py").write_text(text.replace(old, new))


DOORS = ["test", "extract", "generate", "show", "load", "resume", "changes", "prerequisite"]
READING = ["test", "extract", "generate", "show", "load"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("saved", [True, False], ids=["resolved", "not resolved"])
def test_code_in_the_config(hostile, door, saved, monkeypatch, tmp_path):
    folder, code, mark = hostile
    text = (folder / "config.py").read_text()
    if not saved:
        text = text.replace("resolved = True", "")
    (folder / "config.py").write_text(text + code)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="literals"):
        doors(folder, tmp_path / "out")[door]()
    assert not mark.exists()


@pytest.mark.parametrize("door", READING)
@pytest.mark.parametrize("name", ["pose.py", "pose.py/", "pose.py/."])
def test_a_python_file_that_the_config_names(hostile, door, name, tmp_path):
    folder, code, mark = hostile
    (folder / "pose.py").write_text(code)
    labeller = 'type="TopdownLabeller"'
    replace(folder, labeller, f'{labeller}, config="{folder}/{name}"')
    with pytest.raises(UserError, match=r"data.labeller.config=.*pose.py.*: a Python file, which"):
        doors(folder, tmp_path / "out")[door]()
    assert not mark.exists()


def test_the_person_may_name_it(hostile):
    folder, code, mark = hostile
    (folder / "pose.py").write_text(code)
    named = f"data.labeller.config={folder}/pose.py"
    assert reidkit.load(str(folder), [named]).cfg.data.labeller.config == f"{folder}/pose.py"


@pytest.mark.parametrize("door", READING)
def test_files_beside_the_config_that_a_run_names_as_its_source(hostile, door, tmp_path):
    folder, code, mark = hostile
    for place in ("data", "_base_/data"):
        (folder / place).mkdir(parents=True)
        (folder / place / "market1501.py").write_text(code)
    (folder / "evil.py").write_text(code)
    before = (folder / "config.py").read_text().splitlines()[-1]
    assert before.startswith("source = ")
    for source in (folder / "config.py", folder / "evil.py", folder / "evil", folder / "a" / "b"):
        replace(folder, before, before := f'source = "{source}"')
        with pytest.raises(UserError):
            doors(folder, tmp_path / "out", "data=market1501", "settings.data_root=nowhere")[door]()
            raise UserError("reidkit.load opens no data")
        assert not mark.exists()


def test_a_group_that_is_a_path(hostile):
    folder, code, mark = hostile
    (folder / "evil.py").write_text(code)
    replace(folder, 'data="synthped"', f'data="market1501_to_{folder}/evil"')
    with pytest.raises(UserError, match="groups: expected names of recipe and data"):
        reidkit.load(str(folder), ["data.source=market1501"])
    assert not mark.exists()


@pytest.mark.slow
def test_a_resumed_run_executes_and_overwrites_nothing(tiny_run, tmp_path):
    """mmengine would execute ``meta["config"]``, and write where it wrote before."""
    cfg = tiny_run("eanet/pcb", "train.epochs=2").cfg
    folder, mark, precious = tmp_path / "run", tmp_path / "mark", tmp_path / "precious"
    (folder / "metrics.json").unlink()
    precious.write_text("mine")
    file = folder / CHECKPOINT
    content = torch.load(file, weights_only=False)
    content["meta"] |= dict(epoch=1, iter=1, config=f"open({str(mark)!r}, 'w')\n")
    torch.save(content, file)
    plant = file.with_name(f".{file.name}.4194305-0123abcd.tmp")  # no process has this number
    plant.symlink_to(precious)
    with pytest.raises(UserError, match=r"0123abcd\.tmp: a link to .*precious"):
        complete_run(cfg, folder, resume=True)
    plant.unlink()
    plant.write_bytes(b"left by a killed process")
    complete_run(cfg, folder, resume=True)
    assert not mark.exists() and precious.read_text() == "mine"
    assert [path.name for path in file.parent.glob(".*")] == []


@pytest.mark.parametrize(
    "change",
    [
        dict(state_dict=None), dict(state_dict=[1]), dict(state_dict={"a": 1}), dict(meta=None),
        dict(meta=dict(epoch="9")), dict(meta=dict(epoch=1)),
        dict(meta=dict(epoch=1, training_set=dict(num_identities="x", cameras=[]))),
        dict(meta=dict(epoch=1, training_set=dict(num_identities=5, cameras=3))),
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_of_another_kind(hostile, change):
    folder, _, _ = hostile
    content = torch.load(folder / CHECKPOINT)
    torch.save({**content, **change}, folder / CHECKPOINT)
    with pytest.raises(UserError, match="last.pth: (not the checkpoint of a run|meta.training_s)"):
        reidkit.load(str(folder))


def test_weights_that_are_not_numbers(hostile):
    folder, _, _ = hostile
    content = torch.load(folder / CHECKPOINT)
    name = next(iter(content["state_dict"]))
    content["state_dict"][name] = content["state_dict"][name] * float("nan")
    torch.save(content, folder / CHECKPOINT)
    with pytest.raises(UserError, match=f"last.pth: {name} is not a number: this training has"):
        reidkit.load(str(folder))


@pytest.mark.parametrize("name", ["../../../escaped", "/elsewhere/x", "a/b", "..", ".hidden", ""])
def test_a_domain_is_a_name_and_no_path(hostile, name):
    folder, _, _ = hostile
    text = (folder / "config.py").read_text()
    text += (
        f"data = dict(name='x', domains={{{name!r}: dict(type='SynthPed')}}, tests=[{name!r}])\n"
    )
    (folder / "config.py").write_text(text)
    with pytest.raises(UserError, match=f"'{name}' cannot name a domain"):
        reidkit.load(str(folder))


def test_the_setting_for_large_images_is_heard(tiny_data):
    from reidkit.data import decode
    from reidkit.engine.domains import Domains

    Domains(prepare_config("eanet/pcb", ["settings.max_pixels=50"]))
    assert decode._max_pixels == 50
    Domains(prepare_config("eanet/pcb"))
    assert decode._max_pixels == 100_000_000


@pytest.mark.parametrize("door", ["test", "extract"])
def test_data_is_not_made_where_only_the_run_says(hostile, door, tmp_path):
    folder, _, _ = hostile
    elsewhere = tmp_path / "elsewhere"
    replace(folder, 'data_root="data"', f'data_root="{elsewhere}"')
    with pytest.raises(UserError) as error:
        doors(folder, tmp_path / "out", "data=synthped_tiny")[door]()
    assert str(error.value).endswith(
        f"nothing is written: only the run folder names {elsewhere}; if it is the place you want, "
        f"type settings.data_root={elsewhere}"
    )
    assert not elsewhere.exists()


@pytest.mark.slow
def test_labels_are_not_made_where_only_the_run_says(tiny_run, tiny_data, tmp_path):
    """The data is there, its labels are not: they need the person's word, and then are made."""
    from reidkit.engine.run import Run

    folder = tiny_run("eanet/pcb").folder
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthped").symlink_to(tiny_data / "synthped")
    text = (folder / "config.py").read_text()
    assert str(tiny_data) in text
    (folder / "config.py").write_text(text.replace(str(tiny_data), str(data)))
    run = Run.open(folder)
    split = run.domains.split("source", "query")  # read, as before
    with pytest.raises(UserError, match=f"nothing is written: .* type settings.data_root={data}"):
        run.domains.labels(split, ["keypoints"])
    assert [path.name for path in data.iterdir()] == ["synthped"]
    run = Run.open(folder, [f"settings.data_root={data}"])
    assert len(run.domains.labels(split, ["keypoints"])) == len(split)


@pytest.mark.parametrize("key", ["../../escaped", "/elsewhere/escaped", "a/../../../b"])
def test_a_label_key_that_leads_elsewhere(tiny_data, key):
    from dataclasses import replace as with_values

    from reidkit.engine.domains import Domains

    cfg = prepare_config("eanet/pcb", ["data=synthped_tiny", f"settings.data_root={tiny_data}"])
    domains = Domains(cfg)
    split = with_values(domains.split("source", "query"), label_key=key)
    with pytest.raises(UserError, match="cannot name a label store: it leads elsewhere"):
        domains.labels(split, ["keypoints"])


def test_the_model_alone_needs_no_word_for_a_labeller(hostile):
    """As of a teacher, whose pose config cannot be named on the command line."""
    from reidkit.engine.run import Run

    folder, code, mark = hostile
    (folder / "pose.py").write_text(code)
    labeller = 'type="TopdownLabeller"'
    replace(folder, labeller, f'{labeller}, config="{folder}/pose.py"')
    run = Run.open(folder, model_only=True)
    assert run.model is not None and not mark.exists()
    with pytest.raises(UserError, match="has no domain 'source'"):
        run.domains.split("source", "query")
    with pytest.raises(AttributeError):
        run.domains.labeller()


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_gone_on_from_ends_in_words(tiny_run, tmp_path):
    cfg = tiny_run("eanet/pcb", "train.epochs=2").cfg
    folder = tmp_path / "run"
    (folder / "metrics.json").unlink()
    kept = torch.load(folder / CHECKPOINT, weights_only=False)
    name = next(iter(kept["state_dict"]))
    for change in (
        dict(state_dict={**kept["state_dict"], name: torch.zeros(3)}),
        dict(meta={k: v for k, v in kept["meta"].items() if k != "iter"}),
        dict(optimizer=dict(state=5, param_groups=[])),
        dict(message_hub=7),
    ):
        torch.save({**kept, **change, "meta": {**change.get("meta", kept["meta"]), "epoch": 1}},
                   folder / CHECKPOINT)  # fmt: skip
        with pytest.raises(UserError, match="last.pth: (cannot be gone on from|.*)"):
            complete_run(cfg, folder, resume=True)


def test_pictures_of_a_run_without_tests(hostile):
    folder, _, _ = hostile
    with pytest.raises(UserError, match=r'has no tests; add one: data.tests=\["source"\]$'):
        show_correspondences.main([str(folder), "data.tests=[]"])
