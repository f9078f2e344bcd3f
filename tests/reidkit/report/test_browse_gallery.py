"""A gallery in the browser: people by name, searched for with pictures, and never changed."""

from __future__ import annotations

from threading import Thread

import cv2
import numpy as np
import pytest
import torch

from reidkit.cli import browse
from reidkit.cli.browse_gallery import gallery_catalogue
from reidkit.cli.main import main
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher
from reidkit.gallery import Gallery
from reidkit.report.live.server import Server
from reidkit.structures import Embedding

COLOURS = {"anna": (250, 10, 10), "ben & co": (10, 250, 10), "carla": (10, 10, 250)}


class ColourModel:
    """The mean colour of a crop, a file or an array."""

    name, fingerprint, matcher, open_set = "colours", "colours 1", CosineMatcher(), None

    def __call__(self, images, batch_size=64, cameras=None):
        read = [cv2.imread(one)[..., ::-1] if isinstance(one, str) else one for one in images]
        means = np.array([one.reshape(-1, 3).mean(0) for one in read], np.float32)
        return Embedding(torch.from_numpy(means)[:, None])


@pytest.fixture
def people(tmp_path) -> Gallery:
    """Three people with two pictures each, and one picture whose file is gone."""
    gallery = Gallery(tmp_path / "people", ColourModel())
    for number, (name, colour) in enumerate(COLOURS.items()):
        files = [str(tmp_path / f"{number}_{row}.png") for row in range(2)]
        for row, file in enumerate(files):
            pixels = np.full((40, 20, 3), colour, np.uint8)
            pixels[row::7] = 120
            assert cv2.imwrite(file, pixels[..., ::-1])
        gallery.enrol(name, files, cameras=[0, 1])
    gallery.enrol("anna", np.full((1, 40, 20, 3), COLOURS["anna"], np.uint8))
    return gallery


def page(server: Server, path: str = "", **fields) -> str:
    """What the server would answer, without a socket."""
    from reidkit.report.page import environment

    entries, total = server.catalogue.page(**fields)
    known = dict(
        facts=server.catalogue.facts(), base="/x/", size=60, start=0, query=None, here=path,
        chosen=dict(split="", kind="", identity="", camera=None), entries=entries, total=total,
    )  # fmt: skip
    return environment().get_template("browse.html").render(known)


def test_people_are_shown_by_name_and_cannot_be_relabelled(people):
    catalogue = gallery_catalogue(people.folder)
    with Server(catalogue) as server:
        text = page(server)
    assert "7 images" in text and text.count("<img") == 6 and "without a picture" in text
    assert "ben &amp; co" in text and "identity=ben%20%26%20co" in text
    assert "<form" in text and 'method="post"' not in text and "corrected" not in text
    assert catalogue.page(identity=catalogue.identity("ben & co"))[1] == 2
    assert 'value="-1">unknown' in text and "cam -1" not in text
    with pytest.raises(UserError, match="nobody is called 'dora'"):
        catalogue.identity("dora")
    with pytest.raises(UserError, match="is not corrected here; reidkit gallery"):
        catalogue.relabel(0, 2)
    assert catalogue.jpeg(0)[:2] == b"\xff\xd8"


def test_a_picture_is_searched_for_and_the_log_says_so(people):
    with pytest.raises(UserError, match="reidkit browse GALLERY --model MODEL"):
        gallery_catalogue(people.folder).like_picture(np.zeros((4, 4, 3), np.uint8))
    before = len(list(people.log.lines()))
    catalogue = gallery_catalogue(people.folder, ColourModel())
    found = catalogue.like_picture(np.full((8, 8, 3), COLOURS["carla"], np.uint8))
    assert [one.name for one in found[:2]] == ["carla"] * 2 and len(found) == 7
    (line,) = list(people.log.lines())[before:]
    assert "reidkit browse" in str(line) and "carla" in str(line)


def test_who_was_erased_is_not_there(people):
    people.erase("anna")
    catalogue = gallery_catalogue(people.folder)
    assert len(catalogue) == 4 and set(catalogue.names.values()) == {"ben & co", "carla"}
    people.erase("ben & co", "carla")
    assert len(gallery_catalogue(people.folder)) == 0


def test_whose_time_is_over_is_not_there(people):
    past = Gallery(people.folder, ColourModel(), clock=lambda: 0.0)
    past.enrol("eve", np.full((1, 40, 20, 3), 77, np.uint8), retention_days=1)
    catalogue = gallery_catalogue(people.folder)
    assert len(catalogue) == 7 and "eve" not in catalogue.names.values()


def test_the_command_knows_a_gallery(people, monkeypatch, capsys):
    given = []
    monkeypatch.setattr("reidkit.report.live.serve", lambda *args: given.append(args[0]))
    assert browse.main([str(people.folder)]) == 0
    assert len(given[0]) == 7 and "7 images\n" in capsys.readouterr().out
    for option, text in (("--out", "changed by reidkit gallery"), ("--test", "is of a run")):
        assert main(["browse", str(people.folder), option, "x"]) == 2
        assert text in capsys.readouterr().err
    assert main(["browse", str(people.folder.parent), "--model", "x"]) == 2
    assert "--model is for a gallery" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_no_rule_of_accessibility_is_broken(people, problems, width):
    with Server(gallery_catalogue(people.folder, ColourModel())) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/{server.token}/"
        for page in ("", "like?number=0", "?identity=ben%20%26%20co"):
            assert problems(base + page, width) == []
        server.shutdown()
