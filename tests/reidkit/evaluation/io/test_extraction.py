"""Shards on the disk: what is written is read, and what is damaged is said."""

from __future__ import annotations

import json

import pytest
import torch

from reidkit.data.sources import Record
from reidkit.errors import UserError
from reidkit.evaluation.io.extraction import BAD, Extraction, Finish, Plan, write_bad, write_shard
from reidkit.evaluation.io.features import read_features
from reidkit.structures import Embedding

pytest.importorskip("pyarrow")
PLAN = Plan("f" * 64, "toy", "CosineMatcher", ("crops",), None, 4, ("aa", "bb", "cc"))


def embedding(count: int, parts: int = 1, maps: bool = False) -> Embedding:
    source = torch.Generator().manual_seed(count)
    return Embedding(
        torch.randn(count, parts, 8, generator=source),
        None if parts == 1 else torch.rand(count, parts, generator=source),
        torch.randn(count, 3, 2, 1, generator=source) if maps else None,
    )


def records(start: int, count: int) -> list[Record]:
    return [
        Record(f"crops/{n}.jpg", b"", f"p{n % 2}", n, float(n)) for n in range(start, start + count)
    ]


@pytest.fixture
def written(tmp_path):
    """``written(parts, maps)``: three shards, the last of which has no image."""

    def write(parts: int = 1, maps: bool = False, labels: bool = True):
        PLAN.write(tmp_path)
        parts_of = [embedding(4, parts, maps), embedding(2, parts, maps)]
        own = records(0, 6) if labels else [Record(f"{n}.jpg", b"") for n in range(6)]
        write_shard(tmp_path, "aa", own[:4], parts_of[0], Finish(4, [("x.jpg", "no image")]))
        write_shard(tmp_path, "bb", own[4:], parts_of[1], Finish(2))
        write_shard(tmp_path, "cc", [], None, Finish(0, [("y.jpg", "empty")], 1))
        return Embedding.cat(parts_of)

    return write


@pytest.mark.parametrize(("parts", "maps"), [(1, False), (3, False), (1, True)])
def test_what_is_written_is_read(written, tmp_path, parts, maps):
    wanted = written(parts, maps)
    extraction = Extraction(tmp_path)
    whole = extraction.whole()
    for name, tensor in wanted._tensors().items():
        assert torch.equal(getattr(whole.embedding, name), tensor), name
    assert whole.files == [f"crops/{n}.jpg" for n in range(6)]
    assert whole.identities == ["p0", "p1"] * 3 and whole.cameras == list(range(6))
    assert whole.times == [float(n) for n in range(6)] and len(extraction) == 6
    assert [len(part) for part in extraction] == [4, 2] and extraction.plan == PLAN


def test_bad_images_are_a_table(written, tmp_path):
    written()
    extraction = Extraction(tmp_path)
    assert write_bad(tmp_path, list(extraction.finishes.values())) == 2
    assert (tmp_path / BAD).read_text() == "image,reason\nx.jpg,no image\ny.jpg,empty\n"
    assert write_bad(tmp_path, [Finish(3)]) == 0 and not (tmp_path / BAD).exists()


def test_an_extraction_is_evaluated_with_a_table_of_sides(written, tmp_path):
    wanted = written(parts=3)
    table = tmp_path / "sides.csv"
    rows = [f"crops/{n}.jpg,{'query' if n < 2 else 'gallery'}" for n in (3, 0, 1, 2, 5, 4)]
    table.write_text("\n".join(["file,split", *rows]))
    test = read_features(tmp_path, table)
    assert torch.equal(test.sides["query"].embedding.vectors, wanted.vectors[:2])
    assert torch.equal(test.sides["gallery"].embedding.visibility, wanted.visibility[2:])
    assert test.sides["gallery"].labels.cameras.tolist() == [2, 3, 4, 5]
    assert test.meta["matcher"] == "CosineMatcher"


def test_labels_that_an_image_lacks_and_maps_are_no_columns(written, tmp_path):
    written(labels=False)
    assert list(Extraction(tmp_path).columns()) == ["file", "features"]
    written(maps=True)
    with pytest.raises(UserError, match="holds feature maps"):
        Extraction(tmp_path).columns()


def test_what_is_unfinished_or_damaged_is_said(written, tmp_path):
    number = written().vectors[1, 0, 3:5].numpy().tobytes()
    shards = tmp_path / "shards"
    data = (shards / "aa.parquet").read_bytes()
    assert data.count(number) == 1
    for broken in (data[:-20], data.replace(number, number[::-1])):
        (shards / "aa.parquet").write_bytes(broken)
        with pytest.raises(UserError, match="aa.parquet: missing or damaged"):
            Extraction(tmp_path).whole()
    (shards / "bb.json").write_text("{}")
    with pytest.raises(UserError, match="1 of 3 shards are not there yet"):
        Extraction(tmp_path)
    for content, words in (
        ("[]", "not readable"), (json.dumps({"format": 9}), "of format 9"),
        (json.dumps({"format": 1, "sources": [], "shards": ["../x"]}), "may be paths"),
        (json.dumps({"format": 1, "sources": [], "shards": []}), "not readable"),
    ):  # fmt: skip
        (tmp_path / "extraction.json").write_text(content)
        with pytest.raises(UserError, match=words):
            Extraction(tmp_path)
    with pytest.raises(UserError, match="no extraction"):
        Extraction(tmp_path / "nowhere")
