"""Folders, Parquet files and tars: what is read, what is refused, and what is never executed."""

from __future__ import annotations

import io
import os
import pickle
import tarfile

import pytest

from reidkit.data.sources import list_shards, read_shard
from reidkit.data.sources.listing import Shard
from reidkit.errors import UserError
from tests.reidkit.data.sources.conftest import image, parquet, samples, tar


def read(*sources: str, column: str | None = None, size: int = 4096):
    """Records of all shards, which travel as text, as they do to another process."""
    shards = [Shard.from_json(one.to_json()) for one in list_shards(sources, size)]
    return [one for shard in shards for batch in read_shard(shard, column, 2) for one in batch]


def test_every_form_gives_the_same_images_here_and_in_a_store(memory, tmp_path):
    images = {f"{number}.png": image(number) for number in range(3)}
    files = {
        "a/0.png": images["0.png"], "a/1.png": images["1.png"], "b/2.png": images["2.png"],
        "b/.hidden.png": b"", "b/notes.txt": b"", "t.tar": tar(images),
        "t2.tar.gz": tar(images, "w:gz"),
        "p.parquet": parquet({"image": list(images.values()), "file": list(images)}),
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_bytes(content)
    wanted = list(images.values())
    for source in (memory(files), str(tmp_path / "s"), f"file://{tmp_path}/s"):
        records = read(source, size=2)
        assert [one.data for one in records] == wanted * 4, source
        assert [one.name for one in records[:3]] == [
            f"{source}/a/0.png", f"{source}/a/1.png", f"{source}/b/2.png",
        ]  # fmt: skip
        assert [one.name for one in records[3:6]] == list(images)  # the Parquet's column
        assert records[6].name == f"{source}/t.tar/0.png"
        assert not any(one.problem for one in records)


def test_patterns_and_single_files_have_their_addresses(memory):
    source = memory({"a/1.png": image(1), "b/2.png": image(2), "b/3.tar": tar(samples(1))})
    assert [one.name for one in read(f"{source}/*/*.png")] == [
        "memory:///store/a/1.png", "memory:///store/b/2.png",
    ]  # fmt: skip
    assert [one.name for one in read(f"{source}/b")][0] == "memory://store/b/2.png"
    assert read(f"{source}/b/3.tar")[0].name == "memory:///store/b/3.tar/000.png"
    with pytest.raises(UserError, match="1.png is in another source, too"):
        list_shards([f"{source}/a", f"{source}/a/1.png"])


def test_a_shard_that_changed_has_another_key(tmp_path):
    file = tmp_path / "a.tar"
    file.write_bytes(tar(samples(1)))
    before = list_shards([str(file)])
    assert list_shards([str(file)]) == before
    os.utime(file, (1, 1))
    assert list_shards([str(file)])[0].key != before[0].key


def test_labels_of_a_webdataset(memory):
    members = samples(2) | {"b/x.png": image(3), "b/x.cls": b"7\n", "b/x.txt": b"a caption"}
    first, second, third = read(memory({"a.tar": tar(members)}))
    assert (first.identity, first.camera, first.time) == ("p0", 0, 0.0)
    assert (second.identity, second.camera, second.time) == ("p1", 1, 1.5)
    assert (third.identity, third.camera, third.time) == ("7", None, None)


class Trap:
    """Unpickling it would end the process."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_strangers_tar_is_never_executed_and_what_is_odd_is_said(memory, tmp_path):
    trap = pickle.dumps(Trap())
    members = {
        "0.png": image(0), "0.pkl": trap, "0.pyd": trap, "0.pth": trap, "0.npy": trap,
        "1.png": image(1), "1.json": b"[[[", "2.png": image(2), "2.json": b'{"camera": -1}',
        "3.png": image(3), "3.json": b'{"identity": {}}', "4.left.png": image(4),
        "5.png": image(5), "5.json": b'{"time": 1e999}', "../../6.png": image(6),
    }  # fmt: skip
    records = read(memory({"a.tar": tar(members)}))
    assert [one.name.rpartition("/")[2] for one in records if one.data] == ["0.png", "6.png"]
    problems = {one.name.rpartition("/")[2]: one.problem for one in records if one.problem}
    assert "cannot be read" in problems["1.png"] and "whole number from 0" in problems["2.png"]
    assert "text or a whole number" in problems["3.png"] and "dot" in problems["4.left.png"]
    assert "finite seconds" in problems["5.png"] and len(problems) == 5
    assert not any(one.again for one in records)


@pytest.mark.parametrize("cut", [1600, 3072, 3584])  # a header, between two, contents
def test_a_tar_that_is_cut_off_is_said_after_what_it_holds(memory, cut):
    whole = tar({f"{number}.png": image(number) for number in range(3)})
    assert all(512 < len(image(number)) <= 1024 for number in range(3))
    *good, last = read(memory({"a.tar": whole[:cut]}))
    assert "damaged or not reached" in last.problem and last.again
    assert [one.data for one in good] == [image(number) for number in range(len(good))]


def test_links_of_a_tar_lead_nowhere_and_large_members_are_not_read(memory, monkeypatch):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/hostname"
            file.addfile(info)
    assert read(memory({"a.tar": out.getvalue()})) == []
    monkeypatch.setattr("reidkit.data.sources.tars.MOST_BYTES", 600)
    (large,) = read(memory({"a.tar": tar({"a.png": image(0)})}))
    assert "bytes; at most" in large.problem and not large.again


def test_headers_of_a_tar_have_a_limit(memory):
    long = tar({"a" * (2 << 20) + ".png": image(0)})
    (only,) = read(memory({"a.tar": long}))
    assert "a header of 2,097,1" in only.problem


def test_columns_of_parquet(memory):
    cells = [{"bytes": image(0), "path": "x.png"}, {"bytes": None, "path": None}]
    source = memory({"a.parquet": parquet({"image": cells, "pid": [4, 5], "camid": [0, 1]})})
    first, second = read(source)
    assert (first.name, first.data, first.identity, first.camera) == ("x.png", image(0), "4", 0)
    assert second.name == f"{source}/a.parquet#1" and "no bytes" in second.problem
    two = memory({"a.parquet": parquet({"x": [image(0)], "y": [image(1)]})})
    assert read(two, column="y")[0].data == image(1)
    for column, words in ((None, "several columns hold bytes"), ("z", "no column 'z'")):
        with pytest.raises(UserError, match=f"{words}.*--column names one of: x, y"):
            read(two, column=column)
    (table,) = read(memory({"a.parquet": parquet({"file": ["a.png"], "pid": [1]})}))
    assert table.problem == "no column of it holds bytes" and not table.again
    (damaged,) = read(memory({"a.parquet": b"PAR1 no"}))
    assert "damaged" in damaged.problem and damaged.again


def test_files_that_cannot_be_had_are_said(memory, tmp_path):
    (tmp_path / "a.png").write_bytes(image(0))
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "d.png").symlink_to(tmp_path / "nowhere.png")
    records = read(str(tmp_path))
    assert [bool(one.data) for one in records] == [True, False, True, False]
    assert "pipe" in records[1].problem and "no such file" in records[3].problem.lower()
    source = memory({"a.png": image(0), "b.png": image(1)})
    shards = list_shards([source])
    import fsspec

    fsspec.filesystem("memory").rm("/store/a.png")
    (lost, there) = next(read_shard(shards[0]))
    assert lost.again and lost.problem and there.data == image(1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "holds nothing that is read"),
        ("nowhere/*.tar", "holds nothing that is read"),
        ("foo://x", "no address that fsspec knows"),
        ("s3://bucket/x", "s3fs"),
    ],
)
def test_sources_that_are_none_are_said(source, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(UserError, match=words):
        list_shards([source])
