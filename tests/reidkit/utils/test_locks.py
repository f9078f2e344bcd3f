"""One process at a time, and nothing left of the lock."""

import multiprocessing
import os
import time

from reidkit.utils.locks import alone, wait_for


def enter(path, log):
    with alone(path), open(log, "a") as file:
        file.write(f"in {os.getpid()}\n")
        file.flush()
        time.sleep(0.02)
        file.write(f"out {os.getpid()}\n")


def test_processes_come_one_after_the_other(tmp_path):
    path, log = tmp_path / ".lock", tmp_path / "log"
    context = multiprocessing.get_context("fork")
    all_of_them = [context.Process(target=enter, args=(path, log)) for _ in range(8)]
    for one in all_of_them:
        one.start()
    for one in all_of_them:
        one.join(20)
    words = [line.split() for line in log.read_text().splitlines()]
    assert len(words) == 16 and not path.exists()
    for (first, entered), (second, left) in zip(words[::2], words[1::2], strict=True):
        assert (first, second) == ("in", "out") and entered == left


def test_who_waits_is_told_once(tmp_path):
    told = []
    child = multiprocessing.get_context("fork").Process(
        target=enter, args=(tmp_path / ".lock", tmp_path / "log")
    )
    with alone(tmp_path / ".lock"):
        child.start()
    with alone(tmp_path / ".lock", lambda: told.append(1)):
        pass
    child.join(20)
    assert len(told) <= 1


def test_waiting_for_a_folder_that_is_not_there_or_free_returns(tmp_path):
    wait_for(tmp_path / "none")
    wait_for(tmp_path)
