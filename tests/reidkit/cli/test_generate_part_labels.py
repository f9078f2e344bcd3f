import subprocess
import sys
from pathlib import Path

import pytest

from reidkit.cli.common import run_cli
from reidkit.cli.generate_part_labels import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("tool", ["generate_part_labels", "train_pose"])
def test_help_is_printed_without_torch_or_mmpose(tool):
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path('tools/{tool}.py', run_name='__main__')\n"
        "except SystemExit as done: assert not done.code\n"
        "assert not {'torch', 'mmpose'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: reidkit" in done.stdout


def test_wrong_arguments_are_told(tmp_path, capsys):
    root = ["--data-root", str(tmp_path)]
    for arguments, text in (
        (["Marked1501"], "no dataset named 'Marked1501'; did you mean 'Market1501'?"),
        (["SynthPed", "domian=B"], "dataset SynthPed: got an unexpected keyword argument 'domian'"),
        (["SynthPed", "domain=Z"], "SynthPed: domain must be one of ('A', 'B', 'P'), got 'Z'"),
        (["Market1501", "--score"], "--score needs data whose truth is known: SynthPed"),
    ):
        assert run_cli(main, [*arguments, *root]) == 2
        assert text in capsys.readouterr().err


@pytest.fixture
def own(tmp_path):
    """Three people's crops in a folder each, and joints of all of them as a COCO file."""
    import json

    import numpy as np
    import simplejpeg

    rng = np.random.default_rng(0)
    images, people = [], []
    for number, path in enumerate(
        f"{split}/{person:04d}/c{camera}.jpg"
        for split in ("train", "query", "gallery")
        for person in (1, 2, 3)
        for camera in (1, 2)
    ):
        file = tmp_path / "data/own" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(simplejpeg.encode_jpeg(rng.integers(0, 255, (64, 32, 3), np.uint8)))
        images.append(dict(id=number, file_name=path, height=128, width=64))
        joints = [v for joint in range(17) for v in (number + 0.5, 4 * joint + 1.5, 2)]
        people.append(dict(id=number, image_id=number, category_id=1, keypoints=joints))
    content = dict(images=images, annotations=people)
    (tmp_path / "kp.json").write_text(json.dumps(content))
    return tmp_path


def label(own, *more):
    root = ["--data-root", str(own / "data"), "--workers", "0"]
    return run_cli(main, ["ImageFolder", "root=own", r"camera=c(\d)", *root, *map(str, more)])


def test_joints_are_imported_scaled_exported_and_kept(own, capsys):
    import json

    import numpy as np

    labels = own / "elsewhere"
    options = ["--label-root", labels, "--import", own / "kp.json"]
    assert label(own, *options, "--export", own / "out") == 0
    said = capsys.readouterr().out
    assert "own/query: 6 crops, coco kp.json; joints lost 0.0%" in said
    assert not (own / "data/part_labels").exists()
    keypoints = np.load(labels / "own/query/keypoints.npy")
    assert keypoints[:, 0, 0].tolist() == [(6 + i + 1) / 2 for i in range(6)]
    out = json.loads((own / "out/own_query.json").read_text())
    assert out["annotations"][0]["keypoints"][:3] == [3.0, 0.5, 2]
    # asking for labels uses what was imported, and another model does not replace it
    assert label(own, "--label-root", labels) == 0
    assert "using labels of import: coco kp.json" in capsys.readouterr().err
    chosen = ["--label-root", labels, "--pose", "synthped", "--on-photographs"]
    for more in ([], ["--force"]):
        assert label(own, *chosen, *more) == 2
        assert "--replace-imported replaces them by generated ones" in capsys.readouterr().err
    assert np.array_equal(np.load(labels / "own/query/keypoints.npy"), keypoints)


def test_photographs_are_not_labelled_by_the_shipped_model_unasked(own, capsys):
    assert label(own, "--pose", "synthped") == 2
    assert "made for SynthPed's renderings" in capsys.readouterr().err
    assert not (own / "data/part_labels/own/query").exists()


@pytest.mark.slow
def test_labels_of_rendered_people_are_as_good_as_measured(tmp_path, capsys):
    """Generate, score and export through the command: what it prints as wanted is reached."""
    arguments = ["SynthPed", "domain=A", "preset=easy", "--data-root", str(tmp_path)]
    arguments += ["--split", "query", "--score", "--export", str(tmp_path / "json")]
    assert main([*arguments, "--workers", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("labels of"))
    columns = lines[head].split()[-6:]
    assert columns == ["PCK@0.2", "mIoU", "joints", "stored", "regions", "strict"]
    figures = dict(zip(columns, lines[head + 1].replace("%", "").split()[-6:], strict=True))
    for column, wanted in (("PCK@0.2", 90), ("mIoU", 60), ("regions", 92)):
        assert float(figures[column]) >= wanted, lines[head + 1]
    assert len(list((tmp_path / "json").glob("*.json"))) == 1
