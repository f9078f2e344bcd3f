"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from reidkit.errors import UserError
from reidkit.utils import io
from reidkit.utils.io import atomic_folder, atomic_write, sha256_file


def test_write_and_replace(tmp_path):
    path = tmp_path / "deep" / "note.txt"
    for text in ("first", "zweite Fassung: ü"):
        with atomic_write(path, "w") as file:
            file.write(text)
            assert not path.exists() or path.read_text(encoding="utf-8") == "first"
        assert path.read_text(encoding="utf-8") == text
    with atomic_write(path) as file:
        file.write(b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(path.parent) == ["note.txt"]


def test_an_exception_leaves_the_old_file(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path, "w") as file:
        file.write("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("mode", ["a", "r", "ab", "r+"])
def test_modes_that_start_no_new_file(tmp_path, mode):
    said = "atomic_write: mode must be one of w, wb, "
    with pytest.raises(ValueError, match=said), atomic_write(tmp_path / "x", mode):
        pass
    assert os.listdir(tmp_path) == []


def test_folder(tmp_path):
    final = tmp_path / "set"
    final.mkdir()  # an empty one gives way
    with atomic_folder(final) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b.txt").write_text("b")
        assert os.listdir(final) == []
    assert (final / "a" / "b.txt").read_text() == "b" and os.listdir(tmp_path) == ["set"]


def test_folder_that_is_there(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x").write_text("x")
    said = "set exists already and is not empty"
    with pytest.raises(FileExistsError, match=said), atomic_folder(tmp_path / "set"):
        pass


def test_folder_that_appears_meanwhile(tmp_path):
    said = "set exists already and is not empty"
    with pytest.raises(FileExistsError, match=said), atomic_folder(tmp_path / "set") as folder:
        (folder / "mine").write_text("")
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "theirs").write_text("")
    assert os.listdir(tmp_path / "set") == ["theirs"]


def test_folder_after_an_exception(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "set") as folder:
        (folder / "half").write_text("h")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_kill_leaves_no_half_file(tmp_path):
    code = f"""
        import os, signal
        from reidkit.utils.io import atomic_folder, atomic_write
        with atomic_folder({str(tmp_path / "set")!r}), \\
                atomic_write({str(tmp_path / "note")!r}, "w") as file:
            file.write("half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)])
    assert done.returncode == -signal.SIGKILL
    left = os.listdir(tmp_path)
    assert len(left) == 2 and all(name.startswith(".") for name in left)


def test_sha256(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"a" * 1000)
    whole = sha256_file(path)
    assert whole == sha256_file(path, block=7)
    assert whole.startswith("41edece42d63e8d9bf515a9ba6932e1c")


def test_nothing_is_written_through_a_link_or_into_another_file(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    monkeypatch.setattr(io, "_beside", lambda path: path.with_name("foreseen"))
    for plant in (os.symlink, os.link):
        plant(precious, tmp_path / "foreseen")
        with pytest.raises(OSError, match="File exists"), atomic_write(tmp_path / "x", "w") as file:
            file.write("theirs")
        assert precious.read_text() == "mine"


def test_a_link_at_the_final_name_is_replaced(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "x").symlink_to(tmp_path / "precious")
    with atomic_write(tmp_path / "x", "w") as file:
        file.write("new")
    assert (tmp_path / "precious").read_text() == "mine" and (tmp_path / "x").read_text() == "new"


@pytest.mark.parametrize("place", ["log", "log/log.log", "checkpoints/.last.pth.tmp", "dangling"])
def test_links_in_a_folder_to_write_into(tmp_path, place):
    run = tmp_path / "run"
    (run / place).parent.mkdir(parents=True)
    io.refuse_links(run)
    io.refuse_links(tmp_path / "not there")
    (tmp_path / "alias").symlink_to(run)
    io.refuse_links(tmp_path / "alias")
    (run / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"{place}: a link to .*elsewhere; links in a run folder"):
        io.refuse_links(tmp_path / "alias")


def test_a_file_with_another_name_is_not_appended_to(tmp_path):
    (tmp_path / "precious").write_text("mine")
    for place in ("run/checkpoints/last.pth", "run/stage1/log/log.log"):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        os.link(tmp_path / "precious", file)
        if "log" not in place:
            io.refuse_links(tmp_path / "run")  # it is replaced, not written into
            with atomic_write(file, "w") as out:
                out.write("new")
            assert (tmp_path / "precious").read_text() == "mine"
    with pytest.raises(UserError, match=r"stage1/log/log.log: has another name \(hard link\)"):
        io.refuse_links(tmp_path / "run")


@pytest.mark.parametrize("write", [atomic_write, atomic_folder])
def test_a_file_in_the_place_of_a_folder(tmp_path, write):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file: is a file, and a folder is needed"):
        write(tmp_path / "file" / "x").__enter__()
    assert (tmp_path / "file").read_text() == "mine"
