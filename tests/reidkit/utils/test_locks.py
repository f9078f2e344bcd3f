"""One process at a time, and nothing left of the lock."""

import multiprocessing
import os
import threading
import time

from reidkit.utils.locks import alone, hold, let_go, wait_for


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


def test_who_waits_hears_of_it_once(tmp_path):
    inside, leave, calls = threading.Event(), threading.Event(), []

    def occupy():
        with alone(tmp_path / ".lock"):
            inside.set()
            leave.wait(20)

    def waits():
        calls.append(leave.is_set())
        leave.set()

    holder = threading.Thread(target=occupy)
    holder.start()
    inside.wait(20)
    with alone(tmp_path / ".lock", waits):  # the holder's file is gone by then: a second attempt
        assert (tmp_path / ".lock").exists()
    holder.join(20)
    assert calls == [False]


def test_waiting_ends_when_the_folder_is_given_back(tmp_path):
    handle = hold(tmp_path)
    waiter = threading.Thread(target=wait_for, args=(tmp_path,), daemon=True)
    waiter.start()
    waiter.join(0.2)
    assert waiter.is_alive()
    let_go(handle)
    waiter.join(20)
    assert not waiter.is_alive()


def test_waiting_for_a_folder_makes_and_keeps_nothing(tmp_path):
    wait_for(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    wait_for(tmp_path)
    handle = hold(tmp_path)
    assert handle is not None
    let_go(handle)
