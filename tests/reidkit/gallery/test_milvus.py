"""A gallery whose images a vector database lists: what is found, what is missed, what is erased."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher
from reidkit.evaluation.matchers.base import flat_vectors
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.gallery.milvus import Milvus
from reidkit.structures import Embedding

for name in ("pymilvus", "milvus_lite"):
    pytest.importorskip(name, reason=f"{name}: pip install 'reidkit[milvus]'")
pytestmark = pytest.mark.slow
MODEL = "toy 1"


def embeddings(count, seed, parts=2):
    source = torch.Generator().manual_seed(seed)
    return Embedding(torch.randn(count, parts, 16, generator=source))


def traces(folder, seed):
    """Files that hold the flat vector of an image of a person."""
    parts = [row[:8].tobytes() for row in flat_vectors(embeddings(20, seed))]
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {f.name for f in files if any(part in f.read_bytes() for part in parts)}


@pytest.fixture
def listed(tmp_path, toy):
    """Five people of twenty images each, in two segments or more, in a folder and a database."""
    gallery = Gallery(tmp_path / "people", toy, database=tmp_path / "people" / "vectors.db")
    for seed in (2, 0, 1, 3, 4):
        gallery.enrol(f"person {seed}", embeddings(20, seed), model=MODEL)
    yield gallery
    gallery.close()


def test_answers_are_those_of_exact_search_and_recall_is_stated(listed, toy):
    query = Embedding(torch.cat([embeddings(3, 1).vectors, embeddings(3, 9).vectors]))
    exact = Gallery(listed.folder, toy).search(query, k=5, model=MODEL)
    answers = listed.search(query, k=5, model=MODEL)
    for one, other in zip(answers, exact, strict=True):
        assert [c.identity for c in one.candidates] == [c.identity for c in other.candidates]
        same = [c.distance for c in other.candidates]
        assert [c.distance for c in one.candidates] == pytest.approx(same, abs=1e-6)
    assert answers.recall is None and exact.recall is None  # not measured, nothing to measure
    listed.database.candidates = 4
    recall = listed.measure_recall(k=8, queries=60)
    assert recall.nearest == 1.0 and 0.4 < recall.listed <= 4 / 8 + 1e-9 and recall.images == 100
    few = listed.search(query, k=5, model=MODEL)
    assert few.recall == recall
    assert all(len(a.candidates) == 5 for a in few)  # lists are doubled until there are enough
    assert [a.identity for a in few][:3] == ["person 1"] * 3


def test_what_the_database_does_not_hold_yet_is_compared_too(listed, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Milvus, "sync", lambda self, segments: None)  # killed before it
        listed.enrol("new", embeddings(20, 5), model=MODEL)
    assert not listed.database.holds(listed.snapshot.segments)
    assert listed.search(embeddings(1, 5), model=MODEL)[0].identity == "new"


def test_erasing_leaves_no_vector_in_the_database(listed):
    before = traces(listed.folder / "vectors.db", 3)
    assert any(name.endswith(".parquet") for name in before)
    assert listed.erase("person 3").images == 20
    assert traces(listed.folder, 3) == set()
    assert traces(listed.folder / "vectors.db", 4)  # the others are there
    assert listed.database.holds(listed.snapshot.segments)
    assert listed.search(embeddings(1, 3), k=5, model=MODEL)[0].distance > 0.1


def test_an_erasure_that_was_broken_off_is_finished_in_the_database(listed, toy, monkeypatch):
    def killed(self, partition):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Milvus, "_drop", killed)
        listed.erase("person 3")
    assert traces(listed.folder / "vectors.db", 3)
    assert "person 3" not in Gallery(listed.folder, toy).identities  # though it is not opened
    listed.close()
    again = Gallery(listed.folder, toy, database=listed.folder / "vectors.db")
    assert traces(again.folder, 3) == set() and again.verify()
    again.close()


def test_changes_need_the_database_and_no_other(listed, toy, tmp_path):
    alone = Gallery(listed.folder, toy)
    for work in (lambda: alone.erase("person 1"),
                 lambda: alone.enrol("x", embeddings(1, 7), model=MODEL)):  # fmt: skip
        with pytest.raises(UserError, match=r"vectors are in vectors.db as well"):
            work()
    with pytest.raises(UserError, match="not in .*other.db"):
        Gallery(listed.folder, toy, database=tmp_path / "other.db")
    with pytest.raises(UserError, match="neither a file"):
        Gallery(listed.folder, toy, database=tmp_path / "other")
    listed.save(tmp_path / "copy")
    assert Gallery(tmp_path / "copy", toy).erase("person 1").images == 20  # has no database
    assert np.isin("person 1", listed.identities)


def test_a_second_process_is_told_that_an_embedded_database_is_open(listed, tmp_path):
    code = (
        "from reidkit.gallery.milvus import Milvus\n"
        "from reidkit.errors import UserError\n"
        f"try: Milvus({listed.database.address!r}, 'x').client\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "one process opens an embedded database at a time" in done.stdout, done.stderr


def test_without_pymilvus_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    toy = EmbeddingsOnly(MODEL, CosineMatcher())
    with pytest.raises(UserError, match=r"reidkit\[milvus\]"):
        Gallery(tmp_path / "g", toy, database="http://localhost:19530")
