"""Enrol, search, merge, save: what is found, by whom, and what is refused."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, VisiblePartsMatcher
from reidkit.evaluation.open_set import open_set
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.gallery.writing import writer
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding

MODEL = "toy 1"


def embeddings(count, seed=0, parts=1):
    source = torch.Generator().manual_seed(seed)
    return Embedding(torch.randn(count, parts, 16, generator=source))


def test_the_nearest_person_and_the_images_that_decided(people):
    query = Embedding(embeddings(2, 3).vectors + 0.01)
    answers = people.search(query, k=2, model=MODEL, threshold=0.2)
    assert [answer.identity for answer in answers] == ["person-3"] * 2
    first = answers[1].images[0]
    assert (first.camera, first.time, first.source) == (1, 20.0, "form 3")
    assert len(answers[0].candidates) == 2 and answers[0].candidates[1].distance > 0.2
    assert people.search(embeddings(1, 77), model=MODEL, threshold=0.2)[0].identity == "unknown"


def test_people_are_ranked_as_by_all_distances(people):
    """Also where the nearest images are all of one person."""
    people.enrol("person-0", Embedding(embeddings(1).vectors[[0] * 30] + 0.001), model=MODEL)
    query, names, rows = embeddings(1), [], []
    for segment in people.snapshot.segments:
        names += [one.decode() for one in segment.columns["identities"]]
        rows.append(segment.embedding.vectors)
    table = CosineMatcher()(query, Embedding(torch.cat(rows)))[0].numpy()
    best = {name: table[np.array(names) == name].min() for name in set(names)}
    wanted = sorted(best, key=best.get)[:3]
    found = people.search(query, k=3, model=MODEL)[0].candidates  # of 24 images, at first
    assert [one.identity for one in found] == wanted
    assert [one.distance for one in found] == pytest.approx([best[n] for n in wanted], abs=1e-6)


def test_what_was_enrolled_is_there_when_opened_again(people, toy):
    again = Gallery(people.folder, toy)
    assert again.identities == [f"person-{n}" for n in range(5)] and len(again) == 10
    assert again.verify() > 0
    assert len(again.snapshot.segments) <= 4  # small ones are joined
    record = again.images("person-2")[1]
    assert record["camera" + "s"] == 1 and record["sources"] == "form 2"
    assert again.images("nobody") == []


def test_a_reader_sees_what_another_process_writes(people, toy):
    reader = Gallery(people.folder, toy)
    before = reader.snapshot
    people.enrol("new", embeddings(1, 50), model=MODEL)
    assert reader.search(embeddings(1, 50), model=MODEL, threshold=0.1)[0].identity == "new"
    people.erase("new")
    assert reader.search(embeddings(1, 50), model=MODEL, threshold=0.1)[0].identity == "unknown"
    assert len(before) == 10 and float(before.segments[0].embedding.vectors.sum())  # still readable


def test_a_second_writer_is_refused_in_words(people, monkeypatch):
    monkeypatch.setattr("reidkit.gallery.writing.writer.__wrapped__.__defaults__", (0.1, None))
    code = (
        "import sys\nfrom pathlib import Path\nfrom reidkit.utils.locks import hold\n"
        "assert hold(Path(sys.argv[1])) is not None\nprint('held', flush=True)\ninput()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(people.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process is writing"):
            people.enrol("late", embeddings(1), model=MODEL)
        assert people.search(embeddings(1), model=MODEL)[0].identity == "person-0"
    finally:
        other.communicate("\n")
    assert people.enrol("late", embeddings(1, 9), model=MODEL) == 1


def test_another_models_embeddings_are_refused(people, tmp_path):
    with pytest.raises(UserError, match="another model"):
        people.enrol("x", embeddings(1), model="toy 2")
    with pytest.raises(UserError, match="does not say which model"):
        people.search(embeddings(1))
    with pytest.raises(UserError, match="toy 1.*not of toy 2"):
        Gallery(people.folder, EmbeddingsOnly("toy 2", CosineMatcher()))
    with pytest.raises(UserError, match="1x16.*3x16"):
        people.enrol("x", embeddings(1, parts=3), model=MODEL)
    other = Gallery(tmp_path / "other", EmbeddingsOnly("toy 2", CosineMatcher()))
    other.enrol("x", embeddings(1), model="toy 2")
    with pytest.raises(UserError, match="another|not of"):
        people.merge(other)
    with pytest.raises(UserError, match="without a model"):
        Gallery(people.folder).search(embeddings(1), model=MODEL)


@pytest.mark.parametrize("name", ["", "unknown", "a\nb", True, 1.5, "x" * 300])
def test_names_that_name_nobody_are_refused(people, name):
    with pytest.raises(ValueError, match="name"):
        people.enrol([name], embeddings(1), model=MODEL)


def test_columns_that_do_not_fit_are_refused(people):
    for options in (dict(cameras=[1]), dict(cameras=-1), dict(cameras=0.5), dict(times=[1.0])):
        with pytest.raises(ValueError, match="cameras|times"):
            people.enrol("x", embeddings(2), **options, model=MODEL)
    with pytest.raises(ValueError, match="NaN"):
        people.enrol("x", Embedding(torch.full((1, 1, 16), torch.nan)), model=MODEL)
    assert len(people) == 10


def test_what_has_expired_is_not_found_and_goes_away(tmp_path, toy):
    now = [1000.0]
    gallery = Gallery(tmp_path / "g", toy, retention_days=1, clock=lambda: now[0])
    gallery.enrol("short", embeddings(1, 1), model=MODEL)
    gallery.enrol("long", embeddings(1, 2), retention_days=9, model=MODEL)
    now[0] += 86400
    assert gallery.search(embeddings(1, 1), model=MODEL)[0].identity == "long"
    assert gallery.identities == ["long"] and len(gallery.snapshot) == 2
    assert gallery.purge().identities == 1 and len(gallery.snapshot) == 1
    assert b"short" not in b"".join(f.read_bytes() for f in gallery.folder.rglob("*.*"))


def test_tracklets_are_joined(people):
    rows = Embedding(torch.cat([embeddings(2, 8).vectors, embeddings(2, 9).vectors]))
    ids = ["t8", "t8", "t9", "t9"]
    assert people.enrol(ids, rows, tracklets=[5, 5, 2, 2], model=MODEL) == 2
    answers = people.search(rows, tracklets=list("bbaa"), model=MODEL)
    assert [one.identity for one in answers] == ["t8", "t9"]
    assert answers[0].distance == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="several ids"):
        people.enrol(ids, rows, tracklets=[1, 1, 1, 2], model=MODEL)


def test_merging_keeps_provenance(people, toy, tmp_path):
    other = Gallery(tmp_path / "other", toy, retention_days=5)
    other.enrol(["zoe", "person-1"], embeddings(2, 30), source="elsewhere", model=MODEL)
    assert people.merge(other) == 2
    assert people.images("zoe")[0]["sources"] == "elsewhere"
    assert people.images("zoe")[0]["expires"] < np.inf
    assert len(people.images("person-1")) == 3 and len(other) == 2
    with pytest.raises(UserError, match="itself"):
        people.merge(people)


@pytest.mark.parametrize("kind", ["visible parts", "maps"])
def test_matchers_of_every_kind(tmp_path, kind):
    source = torch.Generator().manual_seed(0)
    if kind == "maps":
        from reidkit.plugin import load_plugins

        load_plugins(["qaconv"])
        matcher = MATCHERS.get("qaconv/QAConvMatcher")(map_size=(4, 2)).eval()
        rows = Embedding(maps=torch.randn(12, 8, 4, 2, generator=source))
    else:
        matcher = VisiblePartsMatcher()
        seen = torch.rand(12, 4, generator=source)
        rows = Embedding(torch.randn(12, 4, 8, generator=source), seen)
    gallery = Gallery(tmp_path / "g", EmbeddingsOnly("m", matcher))
    gallery.enrol([f"p{n}" for n in range(12)], rows, model="m")
    answers = Gallery(tmp_path / "g", EmbeddingsOnly("m", matcher)).search(rows, k=3, model="m")
    table = matcher(rows, rows).detach().numpy()
    for row, answer in zip(table, answers, strict=True):
        order = np.argsort(row, kind="stable")[:3]
        assert [one.identity for one in answer.candidates] == [f"p{n}" for n in order]
        assert answer.distance == pytest.approx(row.min(), abs=1e-5)


def known_people(count=60, seed=0, spread=1.0, noise=0.5):
    rng = np.random.default_rng(seed)
    ids, cameras = np.repeat(np.arange(1, count + 1), 4), np.tile([0, 1, 2, 3], count)
    centres = spread * rng.normal(size=(count + 1, 16)) + (0 if spread == 1 else 1)
    vectors = centres[ids] + noise * rng.normal(size=(len(ids), 16))
    return Embedding(torch.tensor(vectors, dtype=torch.float32)[:, None]), ids, cameras


@pytest.mark.slow
def test_a_calibrated_gallery_answers_at_a_stated_rate(tmp_path, toy):
    rows, ids, cameras = known_people()
    toy.open_set = open_set(rows, ids, cameras, CosineMatcher())
    gallery = Gallery(tmp_path / "g", toy)
    rows, ids, cameras = known_people(seed=1)
    enrolled = (ids <= 30) & (cameras < 2)
    gallery.enrol(ids[enrolled], rows[np.flatnonzero(enrolled)], cameras[enrolled], model=MODEL)
    absent = np.flatnonzero((ids > 30) & (cameras >= 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = gallery.search(rows[absent], fpir=0.1, model=MODEL)
    assert 0.03 < np.mean([one.known for one in answers]) < 0.25
    there = np.flatnonzero((ids <= 30) & (cameras >= 2))
    answers = gallery.search(rows[there], fpir=0.1, model=MODEL)
    assert (
        np.mean([one.identity == str(i) for one, i in zip(answers, ids[there], strict=True)]) > 0.6
    )
    likely = [one for one in answers if one.probability > 0.9]
    assert len(likely) > 10 and np.mean([one.known for one in likely]) > 0.9
    with pytest.warns(UserWarning, match="less than one of the 60"):
        gallery.search(rows[:1], fpir=0.001, model=MODEL)


@pytest.mark.slow
def test_people_of_another_domain_are_warned_of(tmp_path, toy):
    usual, dense = (open_set(*known_people(60, spread=s), CosineMatcher()) for s in (1.0, 2.0))

    def warnings_of(known, spread, cameras, **options):
        toy.open_set = known
        gallery = Gallery(tmp_path / f"g{len(list(tmp_path.iterdir()))}", toy)
        rows, ids, places = known_people(30, seed=1, spread=spread)
        some = np.flatnonzero(np.isin(places, cameras))
        gallery.enrol(ids[some], rows[some], places[some], model=MODEL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = gallery.search(rows[:1], model=MODEL, **options).warnings
        return [text.partition(" than those")[0] for text in said]

    closer, apart = (
        f"people of this gallery are {w}" for w in ("closer together", "farther apart")
    )
    assert warnings_of(usual, 2.0, (0, 1), fpir=0.1) == [closer]
    assert warnings_of(usual, 2.0, (0, 1)) == [closer]  # by probability: it comes from there, too
    assert warnings_of(usual, 2.0, (0, 1), threshold=0.1) == []
    assert warnings_of(usual, 1.0, (0, 1), fpir=0.1) == []
    assert warnings_of(dense, 1.0, (0, 1), fpir=0.1) == [apart]
    # strangers of one camera look closer than the calibrated ones of several: only the other
    # direction says something
    assert warnings_of(usual, 2.0, (0,), fpir=0.1) == []
    assert warnings_of(dense, 1.0, (0,), fpir=0.1) == [apart]


def test_a_rate_without_a_calibration_is_refused(people):
    with pytest.raises(UserError, match="no calibration"):
        people.search(embeddings(1), fpir=0.1, model=MODEL)
    with pytest.raises(ValueError, match="not both"):
        people.search(embeddings(1), fpir=0.1, threshold=0.1, model=MODEL)
    rows, ids, cameras = known_people(20)
    assert people.calibrate(ids, rows, cameras, model=MODEL).people == 20
    with pytest.warns(UserWarning):
        people.search(embeddings(1), fpir=0.01, model=MODEL)


def test_a_damaged_file_is_named(people, toy):
    file = next(people.folder.glob("segments/*/vectors.npy"))
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="vectors.npy: damaged"):
        Gallery(people.folder, toy)
    manifest = people.folder / "gallery.json"
    text = json.loads(manifest.read_text())
    text["segments"][0]["name"] = "../../elsewhere"
    manifest.write_text(json.dumps(text))
    with pytest.raises(UserError, match="gallery.json: damaged"):
        Gallery(people.folder, toy)


def test_a_folder_of_something_else_is_left_alone(tmp_path, toy):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        Gallery(tmp_path, toy)
    with pytest.raises(UserError, match="no gallery"):
        Gallery(tmp_path / "none")
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_a_writer_joins_segments_without_copying_damage(people):
    with writer(people.folder) as work:
        assert len(work.manifest.segments) < 5
    rows = [entry["rows"] for entry in people.snapshot.manifest.segments]
    assert sum(rows) == 10 and all(a >= 2 * b for a, b in zip(rows, rows[1:], strict=False))
