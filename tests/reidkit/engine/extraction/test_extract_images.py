"""``reidkit extract --images``: every source, what is bad, and how it goes on after a stop."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.cli.main import main
from reidkit.data.decode import decode_rgb
from reidkit.evaluation.io.extraction import Extraction
from tests.reidkit.data.sources.conftest import image, samples, tar
from tests.reidkit.engine.extraction.conftest import MeanColour, states

pytest.importorskip("pyarrow")
ROOT = Path(__file__).parents[4]


@pytest.fixture
def extract(monkeypatch, tmp_path):
    """``extract(model, *arguments)``: the command, by this model; gives its exit status."""

    def command(model, *arguments: str) -> int:
        monkeypatch.setattr("reidkit.engine.extractor.Extractor", lambda *rest: model)
        return main(["extract", "toy", "--out", str(tmp_path / "out"), *arguments])

    return command


def test_bad_images_are_listed_and_counted_and_the_others_embedded(
    extract, sources, tmp_path, capsys
):
    assert extract(MeanColour(), "--images", *sources, "--batch-size", "3") == 0
    closing = capsys.readouterr().out.splitlines()[-1]
    bad = tmp_path / "out" / "bad_images.csv"
    assert closing == f"{tmp_path}/out: 9 images in 3 shards; 3 left out, {bad} says why"
    with bad.open() as file:
        rows = list(csv.reader(file))
    assert [row[0].removeprefix(str(tmp_path)) for row in rows] == [
        "image", "/crops/anna/3.png", "/a.parquet#3", "/a.tar/003.png",
    ]  # fmt: skip
    assert [row[1] for row in rows[1:3]] == ["it is no image", "the file is empty"]
    whole = Extraction(tmp_path / "out").whole()
    means = [decode_rgb(image(n)).mean((0, 1)) for n in range(3)] * 3
    assert torch.allclose(whole.embedding.vectors[:, 0], torch.tensor(np.array(means)).float())
    assert whole.identities == [None] * 3 + ["1", "1", "2"] + ["p0", "p1", "p0"]
    assert whole.cameras == [None] * 6 + [0, 1, 2]


def test_a_stop_costs_the_shard_that_it_stops(extract, memory, tmp_path, capsys):
    source = memory({f"{n}.png": image(n) for n in range(10)})
    options = ("--images", source, "--shard-size", "2", "--batch-size", "1")
    assert extract(MeanColour(most=7), *options) == 130  # in the fourth of five shards
    assert "what is embedded is kept" in capsys.readouterr().err
    kept = states(tmp_path / "out")
    assert len(kept) == 6
    assert extract(other := MeanColour("1" * 64), *options) == 2 and not other.count
    assert "another model" in capsys.readouterr().err
    assert extract(model := MeanColour(), *options) == 0
    assert model.count == 4 and len(Extraction(tmp_path / "out")) == 10
    assert "3 of 5 shards are there already" in capsys.readouterr().out
    assert states(tmp_path / "out").items() > kept.items()
    assert extract(again := MeanColour(), *options) == 0 and not again.count


def test_what_could_not_be_read_is_tried_again_and_what_changed_replaced(extract, tmp_path, capsys):
    folder = tmp_path / "tars"
    folder.mkdir()
    whole = tar(samples(4))
    for name, content in (("a.tar", tar(samples(2))), ("b.tar", whole[:5000])):
        (folder / name).write_bytes(content)
    assert extract(MeanColour(), "--images", str(folder)) == 1
    assert "1 of these could not be read: the same command tries" in capsys.readouterr().out
    assert extract(model := MeanColour(), "--images", str(folder)) == 1
    assert 0 < model.count < 4  # the shard that was damaged, and that alone
    (folder / "b.tar").write_bytes(whole)
    assert extract(model := MeanColour(), "--images", str(folder)) == 0
    assert model.count == 4 and len(states(tmp_path / "out")) == 4
    assert not (tmp_path / "out" / "bad_images.csv").exists()
    assert len(Extraction(tmp_path / "out")) == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--images", "nowhere"], "nowhere: holds nothing"),
        (["--images", "x", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["--images", "x", "--tests", "source"], "leave one out"),
        (["--engine", "ray"], "embeds --images"),
        (["--images", "x", "--actor-gpus", "-1"], "--actor-gpus must be from 0"),
    ],
)
def test_what_cannot_be_is_said(extract, arguments, words, capsys):
    assert extract(MeanColour(), *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(extract, memory, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    source = memory({"a.png": image(0)})
    assert extract(MeanColour(), "--images", source) == 2
    assert "holds other files" in capsys.readouterr().err


def test_without_ray_its_installation_is_said(extract, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert extract(MeanColour(), "--images", "x", "--engine", "ray") == 2
    assert capsys.readouterr().err == (
        "--engine ray needs Ray: python -m pip install 'reidkit[ray]', or use --engine local\n"
    )


@pytest.mark.slow
def test_the_page_is_run_and_equal_to_the_extractor(
    network, sources, tmp_path, capsys, monkeypatch
):
    """The first commands of docs/extraction.md, and its Python, on every kind of source."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(network[2], "osnet_x0_25.pth")
    for source in sources[1:]:
        shutil.move(source, "crops")
    names = [f"crops/anna/{n}.png" for n in range(3)] + [f"crops/a.parquet#{n}" for n in range(3)]
    names += [f"crops/a.tar/{n:03d}.png" for n in range(3)]
    rows = [f"{name},{n % 3},{n},both" for n, name in enumerate(names)]
    Path("sides.csv").write_text("\n".join(["file,identity,camera,split", *rows]))
    page = (ROOT / "docs/extraction.md").read_text()
    for command in re.search("```sh\n(reidkit.+?)```", page, re.S)[1].splitlines():
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "9 images enrolled, 5 people" in said
    assert "R1" in said and "9 of 9 queries valid" in said
    exec(re.search("```python\n(.+?)```", page, re.S)[1], scope := {})
    assert len(scope["gallery"]) == 9
    wanted = scope["gallery"].model([decode_rgb(image(n)) for n in range(3)])
    parts = list(Extraction("vectors"))
    assert len(parts) == 3
    for part in parts:
        torch.testing.assert_close(part.embedding.vectors, wanted.vectors, rtol=0, atol=1e-6)
    assert main(["gallery", "info", "people", "--id", "anna"]) == 0
    assert "crops/anna/0.png" in capsys.readouterr().out
