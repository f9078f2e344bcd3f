"""Nothing of an erased person is left in any file: vectors, names, paths, provenance, log."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.gallery import Gallery
from reidkit.gallery.writing import Writer, erase, writer
from reidkit.structures import Embedding

MODEL = "toy 1"
NAME, FORM = "Rosalind", "consent 4711"


def vectors(seed):
    return Embedding(torch.randn(3, 1, 16, generator=torch.Generator().manual_seed(seed)))


def everything(*folders: Path) -> bytes:
    return b"".join(f.read_bytes() for folder in folders for f in folder.rglob("*") if f.is_file())


def traces(content: bytes) -> list[str]:
    """What of the erased person stands in some bytes."""
    own = vectors(4711).vectors.numpy()
    found = [f"vector {i}" for i, row in enumerate(own) if row[0, :2].tobytes() in content]
    found += [text for text in (NAME, FORM, "rosa_walk") if text.encode() in content]
    return found


@pytest.fixture
def filled(people, tmp_path):
    """A gallery with a person who was searched for, and two copies of it."""
    for seed, name in ((101, "before"), (4711, NAME), (102, "after")):
        crops = vectors(seed)
        people.enrol(name, crops, source=FORM if name == NAME else "", model=MODEL)
    people.search(vectors(4711), model=MODEL, note=f"is this {NAME}?")
    people.search(vectors(101), model=MODEL, note=f"{NAME} again?", threshold=0.01)
    people.save(tmp_path / "copy")
    people.enrol("later", vectors(103), model=MODEL)
    people.save(tmp_path / "second")
    assert len(traces(everything(people.folder))) == 5
    assert len(traces(everything(tmp_path / "copy"))) == 5
    return people


def test_nothing_is_left(filled, tmp_path, toy):
    folders = [filled.folder, tmp_path / "copy", tmp_path / "second"]
    done = filled.erase(NAME)
    assert (done.images, done.identities, done.log_lines) == (3, 1, 6)
    assert done.copies == (str(folders[1]), str(folders[2])) and not done.missing
    assert traces(everything(tmp_path)) == []
    for folder in folders:
        again = Gallery(folder, toy)
        assert NAME not in again.identities and len(again.identities) >= 7
        assert again.verify() and again.log.verify()
    events = [line.get("event", {}) for line in filled.log.lines()]
    assert [e.get("kind") for e in events].count(None) == 6 and events[-1]["reason"] == "asked for"
    answer = filled.search(vectors(101), model=MODEL)[0]
    assert answer.identity == "before" and answer.distance < 1e-6


def test_paths_go_too(people, toy, tmp_path):
    class Reads:
        fingerprint, name, matcher, open_set = MODEL, MODEL, toy.matcher, None

        def __call__(self, images, batch_size=64, cameras=None):
            return vectors(4711)

    gallery = Gallery(people.folder, Reads())
    files = [f"/crops/rosa_walk_{n}.jpg" for n in range(3)]
    gallery.enrol(NAME, files, source=FORM)
    assert gallery.images(NAME)[2]["paths"] == files[2]
    assert "rosa_walk" in traces(everything(people.folder))
    gallery.erase(NAME)
    assert traces(everything(people.folder)) == []


def test_an_erasure_that_is_broken_off_is_carried_through(filled, toy, monkeypatch, tmp_path):
    """After it was noted, before anything was done, or half-way."""

    def broken(self, *args):
        raise KeyboardInterrupt

    for method in ("_without", "_commit"):
        if NAME not in filled.identities:
            filled.enrol(NAME, vectors(4711), source=FORM, model=MODEL)
        with monkeypatch.context() as patch:
            patch.setattr(Writer, method, broken)
            with pytest.raises(KeyboardInterrupt):
                erase(filled.folder, [NAME])
        assert NAME not in filled.identities  # not found from the moment it is noted
        assert filled.snapshot.manifest.pending
        Gallery(filled.folder)  # whoever opens it next
        assert traces(everything(tmp_path)) == []
        assert not filled.snapshot.manifest.pending and filled.log.verify()


def test_a_copy_that_is_not_there_is_named(filled, tmp_path):
    (tmp_path / "copy").rename(tmp_path / "moved")
    assert filled.erase(NAME).missing == (str(tmp_path / "copy"),)
    assert traces(everything(tmp_path / "moved")) and not traces(everything(filled.folder))


def test_a_gallery_that_names_another_as_its_copy_does_not_reach_it(filled, toy, tmp_path):
    """A stranger's gallery may name any folder."""
    stranger = Gallery(tmp_path / "stranger", toy)
    stranger.enrol(NAME, vectors(5), model=MODEL)
    with writer(stranger.folder) as work:
        work.change(copies=(str(filled.folder),))
    assert stranger.erase(NAME).missing == (str(filled.folder),)
    assert NAME in filled.identities


def test_who_is_not_there_cannot_be_erased(filled):
    with pytest.raises(UserError, match="'nobody'"):
        filled.erase(NAME, "nobody")
    assert NAME in filled.identities


def test_a_changed_log_is_seen(filled):
    assert filled.log.verify() == 6
    text = filled.log.file.read_text()
    for changed in (text.replace("before", "nobody"), "".join(text.splitlines(True)[1:])):
        filled.log.file.write_text(changed)
        with pytest.raises(UserError, match="line 1|line 4|was changed"):
            filled.log.verify()


def test_half_a_line_of_a_log_is_cut_off(filled):
    with open(filled.log.file, "ab") as file:
        file.write(b'{"n": 7, "commit')
    assert filled.log.verify() == 6
    filled.log.add([dict(kind="search", identity="x")])
    assert filled.log.verify() == 7


def test_a_name_within_another_word_is_another_name(people):
    people.log.add([dict(note="Rosalinde came"), dict(note="ask Rosalind."), dict(note=7)])
    assert people.log.redact(["Rosalind"]) == 1


def test_a_segment_of_one_person_goes_as_a_whole(tmp_path, toy):
    gallery = Gallery(tmp_path / "g", toy)
    gallery.enrol("only", vectors(1), model=MODEL)
    gallery.erase("only")
    assert len(gallery) == 0 and gallery.search(vectors(1), model=MODEL)[0].identity == "unknown"
    assert not list((tmp_path / "g" / "segments").iterdir())
    with writer(gallery.folder) as work:
        assert work.manifest.segments == ()
    assert np.isinf(gallery.search(vectors(1), model=MODEL)[0].distance)
