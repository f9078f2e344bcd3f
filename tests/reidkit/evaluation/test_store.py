"""Feature stores: what is read is what was written, or it is refused."""

import json
import os
import random

import numpy as np
import pytest
import torch

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation.io import store as stores
from reidkit.evaluation.io.store import TestSet, read_store, write_store
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.structures import Embedding

NAMES = ["a.jpg", "no\udce9.jpg", "line\nbreak.jpg", "page\u2028.jpg"]


@pytest.fixture
def folder(tmp_path):
    """A store of four images on each side, with trials and names of every kind."""

    def side(name: str) -> LabelledEmbeddings:
        vectors = torch.randn(4, 1, 3, generator=torch.Generator().manual_seed(len(name)))
        times = np.arange(4.0)
        labels = Labels(np.arange(1, 5), np.array([0, 1, 0, 1]), NAMES, times)
        return LabelledEmbeddings(Embedding(vectors), labels, name)

    sides = {name: side(name) for name in ("query", "gallery")}
    write_store(tmp_path / "store", TestSet(sides, "market", [Trial([0, 1], [2, 3], "one")]))
    return tmp_path / "store"


def change(folder, **keys):
    """Replace keys of the description, with the checksum that belongs to it."""
    meta = json.loads((folder / "meta.json").read_text()) | keys
    meta["checksum"] = stores.content_digest(meta)
    (folder / "meta.json").write_text(json.dumps(meta))


def test_names_of_every_kind_come_back(folder):
    test = read_store(folder)
    assert test.sides["query"].labels.paths == NAMES
    assert test.trials[0].gallery.tolist() == [2, 3] and test.protocol == "market"


def test_a_changed_byte_in_any_file_is_noticed(folder):
    draw = random.Random(0)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 12
    for file in files:
        whole = file.read_bytes()
        for _ in range(3):
            damaged = bytearray(whole)
            damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(7)
            file.write_bytes(damaged)
            with pytest.raises(UserError, match="damaged|not readable|a store of format"):
                read_store(folder)
        file.write_bytes(whole)
    read_store(folder)


def test_a_missing_file_and_a_pipe_are_damage(folder):
    (folder / "query" / "cameras.npy").unlink()
    for _ in range(2):
        with pytest.raises(UserError, match=r"damaged, query/cameras.npy is missing; extract"):
            read_store(folder)
        os.mkfifo(folder / "query" / "cameras.npy") if _ == 0 else None


def test_a_file_without_a_checksum_is_not_read(folder):
    np.save(folder / "query" / "visibility.npy", np.zeros((4, 1), np.float32))
    assert read_store(folder).sides["query"].embedding.visibility is None


@pytest.mark.parametrize("side", ["../query", "/elsewhere/query", "a/b", "..", ""])
def test_a_side_is_a_name_and_no_path(folder, side):
    change(folder, sides=["query", side])
    with pytest.raises(UserError, match="cannot name a side of a test"):
        read_store(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd"])
def test_checksums_of_files_elsewhere(folder, name):
    (folder.parent / "outside").touch()
    change(folder, files={name: "0"})
    with pytest.raises(UserError, match="leads elsewhere"):
        read_store(folder)


@pytest.mark.parametrize(
    "keys",
    [dict(sides="query"), dict(sides=[1]), dict(trials=None), dict(protocol=3), dict(files=[])],
)
def test_descriptions_of_another_kind(folder, keys):
    change(folder, **keys)
    with pytest.raises(UserError, match="expected sides, trials, protocol and files"):
        read_store(folder)
    for text in ("[]", "{", '{"format": 1}', "[" * 100_000):
        (folder / "meta.json").write_text(text)
        with pytest.raises(UserError, match="not readable as JSON|a store of format 1"):
            read_store(folder)
