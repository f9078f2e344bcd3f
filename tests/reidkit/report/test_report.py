"""A report says what the run says, holds everything it shows, and executes nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from reidkit.cli.main import main
from reidkit.errors import UserError
from reidkit.evaluation.compare import compare_tables
from reidkit.report import Source, page, write_report

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of its scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    def of(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.found if name == tag]


def report(tmp_path: Path, *folders: Path, **options) -> str:
    sources = [Source.open(folder, **options) for folder in folders]
    write_report(tmp_path / "report.html", sources)
    return (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def text(run_folder, tmp_path_factory, tiny_data) -> str:
    data = [f"settings.data_root={tiny_data}"]
    return report(tmp_path_factory.mktemp("page"), run_folder, overrides=data)


def test_numbers_are_the_runs(text, run_folder):
    recorded = json.loads((run_folder / "metrics.json").read_text())["tests"]["target"]
    for name in ("mAP", "R1", "mINP"):
        assert f">{100 * recorded['metrics'][name]:.1f}<" in text.replace("</span>", "<")
    assert recorded["protocol"] in text and recorded["query_fingerprint"][:12] in text
    assert "The features give mAP" not in text


def test_everything_is_inside(text):
    page_ = Elements(text)
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
    assert all(attrs["src"].startswith("data:image/jpeg") for attrs in page_.of("img"))
    assert len(page_.of("img")) > 30 and not page_.of("link")
    assert all(attrs["alt"] for attrs in page_.of("img"))
    policy = next(a["content"] for a in page_.of("meta") if "http-equiv" in a)
    (script,) = page_.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_every_section_is_there(text):
    titles = re.findall(r"<h[23][^>]*>([^<]+)", text)
    for title in ("CMC", "ROC", "Distances", "Pairs of cameras", "Embedding map", "Config",
                  "Hardest identities", "Training", "Data"):  # fmt: skip
        assert title in titles
    assert "random ranker" in text or "no two of" in text  # the doctor's findings
    assert "What was compared" in text  # parts of PCB
    assert "configs/eanet/pcb.py" in text or "eanet" in text
    assert "settings.seed" in text


def test_machine_paths_stay_out_of_captions(text, tiny_data):
    lists = text[text.index('id="queries-1"') : text.index('id="training"')]
    assert str(tiny_data) not in lists


@pytest.mark.slow
def test_a_hostile_run_stays_text(make_run, tmp_path):
    folder = make_run(tmp_path / "x<script>alert(3)<")
    content = json.loads((folder / "metrics.json").read_text())
    content["trained_on"] = HOSTILE
    content["tests"]["target"]["protocol"] = HOSTILE
    (folder / "metrics.json").write_text(json.dumps(content))
    config = (folder / "config.py").read_text()
    changed = config.replace("name='target'", f"name={HOSTILE!r}")
    (folder / "config.py").write_text(changed)
    source = Source.open(folder)
    labels = source.tests["target"].ranking.query.labels
    names = [HOSTILE] * int(labels.identities.max())
    object.__setattr__(labels, "names", names)
    for row in range(len(labels)):
        labels.paths[row] = type(labels.paths[row]).of(f"a/{HOSTILE}", "query", row)
    write_report(tmp_path / "report.html", [source])
    text = (tmp_path / "report.html").read_text()
    found = Elements(text)
    assert len(found.of("script")) == 1 and "alert" not in found.scripts[0]
    assert not any("onerror" in attrs for _, attrs in found.found)
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.slow
def test_two_runs_are_compared_query_by_query(make_run, run_folder, tmp_path, tiny_data):
    second = make_run(tmp_path / "second", 7)
    out = tmp_path / "two.html"
    given = ["report", run_folder, second, "--out", out, f"settings.data_root={tiny_data}"]
    assert main(list(map(str, given))) == 0
    text = out.read_text()
    pair = compare_tables(*(f / "queries_target.csv" for f in (run_folder, second)))["mAP"][2]
    assert f"{100 * pair.difference:+.1f}" in text and f"{pair.p:.4f}" in text
    assert f"{pair.better} / {pair.worse} / {pair.same}" in text
    assert "second run better" in text and "only what differs" in text


@pytest.mark.slow
def test_without_data_there_are_charts_and_no_pictures(make_run, tmp_path, tiny_data):
    folder = make_run(tmp_path / "run", 0, f"settings.data_root={tmp_path / 'gone'}")
    bare = report(tmp_path, folder)
    assert "Neither features nor data" in bare and "CMC" in bare and "ROC" not in bare
    report(tmp_path, folder, overrides=[f"settings.data_root={tiny_data}"])
    charts = report(tmp_path, folder)
    assert "ROC" in charts and "<img" not in charts and "no picture" in charts


@pytest.mark.slow
def test_pictures_are_left_out_when_the_run_or_the_command_says_so(make_run, tmp_path, tiny_data):
    folder = make_run(tmp_path / "run", 0, "settings.pictures=False")
    data = [f"settings.data_root={tiny_data}"]
    assert "<img" not in report(tmp_path, folder, overrides=data)
    assert "<img" in report(tmp_path, folder, overrides=data, pictures=True)


@pytest.mark.slow
def test_features_of_other_weights_are_refused(make_run, tmp_path, tiny_data):
    data = [f"settings.data_root={tiny_data}"]
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two", 5)
    Source.open(first, tmp_path / "features", data)
    with pytest.raises(UserError, match="of another origin"):
        Source.open(second, tmp_path / "features", data)


@pytest.mark.slow
def test_pictures_get_smaller_until_the_file_fits(run_folder, tmp_path, tiny_data, monkeypatch):
    source = Source.open(run_folder, overrides=[f"settings.data_root={tiny_data}"])
    whole = write_report(tmp_path / "a.html", [source])
    monkeypatch.setattr(page, "MOST_BYTES", whole - 1)
    assert write_report(tmp_path / "a.html", [source]) < whole
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="even without pictures"):
        write_report(tmp_path / "b.html", [source])
    assert not (tmp_path / "b.html").exists()


@pytest.mark.slow
def test_numbers_that_the_features_do_not_give_are_said(make_run, tmp_path, tiny_data):
    folder = make_run(tmp_path / "run")
    content = json.loads((folder / "metrics.json").read_text())
    content["tests"]["target"]["metrics"]["mAP"] = 0.99
    (folder / "metrics.json").write_text(json.dumps(content))
    text = report(tmp_path, folder, overrides=[f"settings.data_root={tiny_data}"])
    assert "the run recorded 99.00" in text


@pytest.mark.parametrize(
    "content",
    [
        "[]", '{"tests": {"a": {}}}', '{"tests": {"a": {"metrics": {"mAP": NaN}}}}',
        '{"tests": {"a": {"metrics": {"mAP": 1%s}}}}' % (400 * "0"),
    ],
)  # fmt: skip
def test_metrics_that_are_none(content, run_folder, tmp_path):
    from reidkit.report.run_files import read_metrics

    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UserError, match="not the numbers of a run"):
        read_metrics(tmp_path)
    assert np.isfinite(read_metrics(run_folder)["tests"]["target"]["metrics"]["mAP"])
