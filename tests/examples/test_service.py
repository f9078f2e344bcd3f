"""The example of a service, on a port, with people of SynthPed and a network of random weights."""

import runpy
import shutil
from pathlib import Path

import pytest
import torch

from reidkit.gallery import Gallery
from reidkit.models.heads import FCHead
from reidkit.models.osnet import OSNet
from reidkit.structures import FeatureSpecs
from reidkit.synthped.reader import SynthPed

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_example_runs(tiny_data, tmp_path, capsys):
    torch.manual_seed(0)
    network = OSNet("osnet_x0_25")
    head = FCHead(FeatureSpecs(network.specs, network.default), 3)
    torch.save({**network.state_dict(), **head.state_dict()}, tmp_path / "net.pth")
    split = SynthPed(str(tiny_data), domain="A", preset="tiny").splits()["gallery"]
    people = sorted(set(split.identities[split.identities > 0].tolist()))[:3]
    for number in people:
        rows = [row for row in range(len(split)) if split.identities[row] == number][:2]
        folder = tmp_path / "enrolled" / f"person-{number}"
        folder.mkdir(parents=True)
        for row in rows:
            shutil.copy(Path(split.root, split.paths[row]), folder)
    (tmp_path / "queries").mkdir()
    query = next((tmp_path / "enrolled" / f"person-{people[1]}").iterdir())
    shutil.copy(query, tmp_path / "queries")
    folders = [str(tmp_path / name) for name in ("people", "enrolled", "queries")]
    more = (f"weights={tmp_path / 'net.pth'}", "input.size=(64,32)", "settings.device=cpu")
    runpy.run_path(str(ROOT / "examples" / "service.py"))["main"]("osnet_x0_25", *folders, *more)
    said, name = capsys.readouterr().out, f"person-{people[1]}"
    assert f"{query.name}: {name}, 0.000" in said or f"{query.name}: {name}, -0.000" in said
    assert f"404 not enrolled: '{name}'" in said
    gallery = Gallery(tmp_path / "people")
    assert gallery.identities == sorted(f"person-{n}" for n in (people[0], people[2]))
    assert "example: an example" not in str(list(gallery.log.lines()))  # it named who is erased
    assert gallery.verify()
