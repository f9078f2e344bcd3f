"""Names of run folders."""

import multiprocessing
import time

import pytest

from reidkit.engine.folder import claim, claim_new, new_folder, run_name
from reidkit.errors import UserError


def test_a_new_run_never_takes_a_used_folder(tmp_path):
    name = run_name("configs/eanet/pcb.py", "synthped", "quick", 3)
    assert name == "eanet-pcb-synthped-quick-s3"
    first = new_folder(tmp_path, name)
    assert first == tmp_path / name
    first.mkdir()
    (tmp_path / f"{name}-7").mkdir()
    assert new_folder(tmp_path, name) == tmp_path / f"{name}-8"


def test_who_comes_second_takes_the_next_folder(tmp_path):
    claims = [claim_new(tmp_path / "runs", "a") for _ in range(3)]
    assert [one.path.name for one in claims] == ["a", "a-2", "a-3"]
    assert all(one.path.is_dir() for one in claims)


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path):
    first = claim(tmp_path / "run")
    for resume in (False, True):
        with pytest.raises(UserError, match="another process is training there"):
            claim(tmp_path / "run", resume)
    first.release()
    assert not (tmp_path / "run").exists()  # nothing was written
    assert claim(tmp_path / "run").path.is_dir()


def test_an_unfinished_run_is_resumed_or_refused(tmp_path):
    (tmp_path / "config.py").touch()
    with pytest.raises(UserError, match="holds an unfinished run; continue it with --resume"):
        claim(tmp_path)
    claim(tmp_path, resume=True).release()
    (tmp_path / "metrics.json").touch()
    with pytest.raises(UserError) as error:
        claim(tmp_path)
    assert str(error.value) == f"{tmp_path}: holds a finished run; choose another --work-dir"


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: is a file; choose a folder"):
        claim(tmp_path / "file")


def _say_and_sleep(started):
    started.set()
    time.sleep(30)


def test_children_do_not_hold_a_folder_beyond_its_process(tmp_path):
    folder = tmp_path / "run"
    first = claim(folder)
    (folder / "log").touch()  # so that the folder stays when it is released
    context = multiprocessing.get_context("fork")
    started = context.Event()
    child = context.Process(target=_say_and_sleep, args=(started,))
    child.start()
    try:
        assert started.wait(20)
        first.release()
        second = claim(folder)
        assert child.is_alive() and second.path.is_dir()
        with pytest.raises(UserError, match="another process is training there"):
            claim(folder)  # the second has it
    finally:
        child.kill()
        child.join()
