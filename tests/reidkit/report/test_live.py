"""The server answers its own page alone, and corrections are on the disk at once."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlencode

import numpy as np
import pytest

from reidkit.cli import browse
from reidkit.cli.main import main
from reidkit.data.corrections import Correction, read_corrections
from reidkit.evaluation.label_errors import Suspect
from reidkit.report.live import Catalogue
from reidkit.report.live.server import Server


@pytest.fixture
def server(tiny_data, tmp_path):
    from reidkit.synthped.reader import SynthPed

    splits = SynthPed(str(tiny_data), domain="B", preset="tiny").splits()
    rng = np.random.default_rng(0)
    vectors = {}
    for name in ("query", "gallery"):
        one = rng.standard_normal((len(splits[name]), 8)).astype(np.float32)
        vectors[name] = one / np.linalg.norm(one, axis=1, keepdims=True)
    catalogue = Catalogue(
        splits, tmp_path / "fixes.csv", vectors=vectors, embed=lambda _: vectors["query"][3],
        title="x<script>alert(1)</script>",
    )  # fmt: skip
    server = Server(catalogue)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server, path="", method="GET", body=None, token=None, **headers):
    """Status and text of an answer; by default as the page itself asks."""
    port = server.server_port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    own = {"Host": f"127.0.0.1:{port}"}
    if method == "POST":
        own["Origin"] = f"http://127.0.0.1:{port}"
    text = urlencode(body) if isinstance(body, dict) else body
    target = f"/{token or server.token}/{path}"
    connection.request(method, target, text, {**own, **headers})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace"), answer


def test_pages_of_the_data(server):
    status, text, answer = ask(server)
    assert status == 200 and "images</h2>" in text and text.count("<img") == 60
    assert "<script>alert" not in text and "x&lt;script&gt;" in text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    status, _, answer = ask(server, "crop/0")
    assert status == 200 and answer.headers["Content-Type"] == "image/jpeg"
    first = server.catalogue.entry(0)
    _, text, _ = ask(server, f"?identity={first.identity}&split={first.split}")
    assert 0 < text.count("<img") < 60


def test_nobody_else_is_answered(server):
    assert ask(server, token="wrong")[0] == 403
    assert ask(server, Host=f"evil.example:{server.server_port}")[0] == 403
    assert ask(server, Host="localhost")[0] == 403
    change = dict(number=0, identity=5)
    for origin in ("http://evil.example", "null", f"http://localhost:{server.server_port}"):
        assert ask(server, "relabel", "POST", change, Origin=origin)[0] == 403
    assert not server.catalogue.corrections and not server.catalogue.out.exists()
    assert server.server_address[0] == "127.0.0.1"


def test_corrections_are_on_the_disk_at_once(server):
    one, two = (server.catalogue.entry(n) for n in (0, 30))
    out = server.catalogue.out
    assert ask(server, "relabel", "POST", dict(number=0, identity=-1))[0] == 303
    assert read_corrections(out) == [Correction(one.labelled, -1, one.split, one.file)]
    merge = dict(identity=two.identity, into=one.labelled)
    assert ask(server, "merge", "POST", merge)[0] == 303
    assert read_corrections(out)[1] == Correction(two.identity, one.labelled)
    assert server.catalogue.entry(30).identity == one.labelled
    assert "was" in ask(server, "?kind=corrected")[1]
    ask(server, "undo", "POST", {})
    assert ask(server, "relabel", "POST", dict(number=0, identity=one.labelled))[0] == 303
    assert not out.exists()


@pytest.mark.parametrize(
    "path, body",
    [("relabel", dict(number=99999, identity=1)), ("merge", dict(identity=1, into=1)),
     ("merge", dict(identity=31337, into=1)), ("relabel", dict(number="x", identity=1))],
)  # fmt: skip
def test_what_cannot_be_corrected_is_said(server, path, body):
    status, text, _ = ask(server, path, "POST", body)
    assert status == 400 and "That did not work" in text
    assert not server.catalogue.out.exists()


def test_search_by_an_image_and_by_a_picture(server):
    catalogue = server.catalogue
    number = catalogue._first["query"] + 3
    status, text, _ = ask(server, f"like?number={number}")
    assert status == 200 and "cosine 1.000" in text
    jpeg = catalogue.jpeg(number)
    status, text, _ = ask(server, "picture", "POST", jpeg)
    assert status == 200 and f"crop/{number}" in text.split("</li>")[0]
    assert ask(server, "picture", "POST", b"no picture")[0] == 400
    assert ask(server, "like?number=0")[0] in (200, 400)


@pytest.mark.slow
def test_a_run_brings_features_and_suspects(run_folder, tiny_data, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("reidkit.report.live.serve", lambda catalogue, *_: shown.append(catalogue))
    out = run_folder.parent / "fixes.csv"
    given = [str(run_folder), "--out", str(out), f"settings.data_root={tiny_data}"]
    assert browse.main(given) == 0
    (catalogue,) = shown
    assert catalogue.searchable and f"corrections go to {out}" in capsys.readouterr().out
    number = catalogue._first["gallery"]
    nearest = catalogue.like_picture(catalogue_pixels(catalogue, number))
    assert nearest[0].number == number and nearest[0].similarity > 0.99


def catalogue_pixels(catalogue, number):
    from reidkit.data.decode import decode_rgb

    return decode_rgb(catalogue.jpeg(number))


@pytest.mark.slow
def test_doctor_lists_labels_that_look_wrong(run_folder, tiny_data, tmp_path, capsys, monkeypatch):
    found = [Suspect(2, 1001, 1004, 0.5)]
    monkeypatch.setattr("reidkit.cli.doctor_labels.label_errors", lambda *_: found)
    table = tmp_path / "suspects.csv"
    given = ["doctor", "labels", run_folder, "--out", table, f"settings.data_root={tiny_data}"]
    assert main(list(map(str, given))) == 0
    out = capsys.readouterr().out
    assert "looks like" in out and "images to look at" in out
    from reidkit.synthped.reader import SynthPed

    path = SynthPed(str(tiny_data), domain="B", preset="tiny").splits()["query"].paths[2]
    assert read_corrections(table) == [Correction(1001, 1004, "query", path)]


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_no_rule_of_accessibility_is_broken(server, problems, width):
    base = f"http://127.0.0.1:{server.server_port}/{server.token}/"
    one = server.catalogue.entry(0)
    asked = next(n for n in range(200) if server.catalogue.entry(n).split == "query")
    for page in (
        "",
        "like?number=0",
        f"like?number={asked}",
        f"?identity={one.identity}&split={one.split}",
    ):
        assert problems(base + page, width) == []
    assert problems(base, width, "dark") == []
