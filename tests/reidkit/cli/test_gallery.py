"""``reidkit gallery``, from enrolment to erasure, with a small run that held people out."""

import json
import shutil

import pytest

from reidkit.cli.main import main
from reidkit.engine.calibrate import OPEN_SET
from reidkit.evaluation.open_set import OpenSet
from tests.reidkit.engine.conftest import TINY


@pytest.mark.slow
def test_a_gallery_by_a_run_with_people_held_out(tiny_data, tmp_path, capsys):
    overrides = [one for one in TINY if not one.startswith("data=")]
    where = [f"settings.data_root={tiny_data}", f"settings.work_dir={tmp_path}"]
    run = tmp_path / "run"
    command = ["train", "eanet/pcb", *overrides, "data=synthped_tiny_val", *where]
    assert main([*command, "--work-dir", str(run)]) == 0
    assert "thresholds of 4 people held out" in capsys.readouterr().out
    known = OpenSet.read(run / OPEN_SET)
    assert not known.seen and known.people == 4

    crops = sorted((tiny_data / "synthped").glob("*tiny/A/query/*.jpg"))
    for file in crops[:6]:
        folder = tmp_path / "crops" / file.name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    gallery = str(tmp_path / "people")
    more = ["settings.device=cpu", "settings.workers=0"]
    assert main(["gallery", "enrol", gallery, str(run), *more, "--folders",
                 str(tmp_path / "crops"), "--source", "a form"]) == 0  # fmt: skip
    text = capsys.readouterr().out
    assert "6 images enrolled" in text
    assert main(["gallery", "search", gallery, str(run), *more, str(crops[0]), "--fpir", "0.1",
                 "--json"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    found = json.loads(next(line for line in said.splitlines() if line[0] == "{"))
    name = crops[0].name.split("_")[0]
    assert found["identity"] == name and found["candidates"][0]["distance"] < 1e-3
    assert "warning: fpir=0.1 is less than one of the 4 people" in said

    assert main(["gallery", "info", gallery, "--verify"]) == 0
    text = capsys.readouterr().out
    assert "6 images of" in text and "thresholds of 4 people" in text and "verified" in text
    assert main(["gallery", "info", gallery, "--id", name]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["sources"] == "a form"
    copy = str(tmp_path / "copy")
    assert main(["gallery", "save", gallery, copy]) == 0
    assert main(["gallery", "erase", gallery, name]) == 0
    assert "in 1 copies too" in capsys.readouterr().out
    assert main(["gallery", "erase", gallery, name]) == 2
    assert main(["gallery", "log", gallery]) == 0
    assert [json.loads(line).get("kind") for line in capsys.readouterr().out.splitlines()] == [
        None, "erasure",
    ]  # fmt: skip
    assert main(["gallery", "merge", gallery, copy]) == 0
    assert main(["gallery", "purge", gallery]) == 0
    capsys.readouterr()


def test_what_cannot_be_is_said(tmp_path, capsys):
    assert main(["gallery", "info", str(tmp_path)]) == 2
    assert "no gallery" in capsys.readouterr().err
    assert main(["gallery", "info", str(tmp_path), "a.b=1"]) == 2
    assert "only enrol, search, calibrate and recall" in capsys.readouterr().err
