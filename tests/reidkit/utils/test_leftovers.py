"""What killed processes leave is cleared; what living ones write is not touched."""

import os
import subprocess
import sys

import pytest

from reidkit.utils.io import atomic_folder, atomic_write
from reidkit.utils.leftovers import beside, clear_leftovers, scratch_folder
from reidkit.utils.locks import hold, let_go


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_files_and_folders_of_a_dead_process(tmp_path, dead):
    (tmp_path / f".last.pth.{dead}-01234567.tmp").write_text("half")
    (tmp_path / f".store.{dead}-01234567.tmp" / "query").mkdir(parents=True)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / f".a.b.jpg.{dead}-01234567.tmp").touch()
    assert len(clear_leftovers(tmp_path)) == 2
    assert [path.name for path in clear_leftovers(tmp_path, deep=True)] == [
        f".a.b.jpg.{dead}-01234567.tmp"
    ]
    assert os.listdir(tmp_path) == ["below"] and os.listdir(tmp_path / "below") == []


def test_names_of_other_kinds_stay(tmp_path, dead):
    names = (f"last.pth.{dead}-01234567.tmp", ".x.tmp", f".x.{dead}-0123456.tmp", f".x.{dead}.tmp")
    for name in names:
        (tmp_path / name).touch()
    assert clear_leftovers(tmp_path, deep=True) == [] and len(os.listdir(tmp_path)) == len(names)


def test_what_is_being_written_stays(tmp_path):
    with atomic_write(tmp_path / "a") as file, atomic_folder(tmp_path / "b") as folder:
        assert clear_leftovers(tmp_path) == []
        assert os.path.exists(file.name) and folder.is_dir()


def test_what_a_process_of_another_machine_holds_stays(tmp_path, dead):
    """Its number says nothing here, and may be that of nobody."""
    folder = tmp_path / f".store.{dead}-01234567.tmp"
    folder.mkdir()
    handle = hold(folder)
    assert clear_leftovers(tmp_path) == []
    let_go(handle)
    assert clear_leftovers(tmp_path) == [folder]


def test_a_process_of_somebody_else_lives(tmp_path, monkeypatch, dead):
    (tmp_path / f".x.{dead}-01234567.tmp").touch()

    def refuse(process, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert clear_leftovers(tmp_path) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path, dead):
    (tmp_path / "precious").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f".x.{dead}-01234567.tmp").symlink_to(tmp_path / "precious")
    assert len(clear_leftovers(tmp_path / "run")) == 1
    assert os.listdir(tmp_path / "run") == [] and (tmp_path / "precious").is_dir()


def test_names_differ_and_say_whose_they_are(tmp_path):
    first, second = beside(tmp_path / "a"), beside(tmp_path / "a")
    assert first != second and f".{os.getpid()}-" in first.name


def test_a_scratch_folder_clears_those_of_dead_processes(tmp_path, monkeypatch, dead):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f".fuzz.{dead}-01234567.tmp" / "case7").mkdir(parents=True)
    first, second = scratch_folder("fuzz"), scratch_folder("fuzz")
    assert sorted(tmp_path.iterdir()) == sorted([first, second])
    assert first.stat().st_mode & 0o777 == 0o700
