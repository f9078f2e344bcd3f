"""The campaign sees what it looks for: each kind of failure is made once and must be named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reidkit.errors import UserError
from reidkit.testing.fuzz import Campaign, failures, table
from reidkit.testing.fuzz.campaign import Tally
from reidkit.testing.fuzz.case import Case, Door, Outcome
from reidkit.testing.fuzz.child import run_case
from reidkit.testing.pages import write_section


def cli(argv):
    """A command line of one command: it prints its first argument and ends with the second."""
    print(argv[0], file=sys.stderr)
    return int(argv[1])


def outcome(tmp_path, run, seconds=5, writes=(), **more):
    """What becomes of a case whose door does ``run(place)``."""
    valid = tmp_path / "valid"
    valid.mkdir(exist_ok=True)
    (valid / "data.txt").write_text("valid")
    door = Door("toy", "a toy", lambda rng, place: Case("x", lambda: run(place), **more),
                writes=writes, seconds=seconds)  # fmt: skip
    return run_case(door, 0, valid, tmp_path / "case", cli)


def fails(error):
    def run(place):
        raise error

    return run


def test_words_right_and_taken(tmp_path):
    assert outcome(tmp_path, fails(UserError("no such file"))).kind == "refused"
    assert (
        outcome(tmp_path, lambda place: 3, check=lambda r: "" if r == 3 else "no").kind == "right"
    )
    assert outcome(tmp_path, lambda place: 3).kind == "taken"
    assert outcome(tmp_path, lambda place: 3, check=lambda r: None).kind == "taken"
    assert not (tmp_path / "case").exists()


def test_a_command_line(tmp_path):
    assert outcome(tmp_path, lambda place: place.command("bad thing", 2)).text == "bad thing"
    told = outcome(tmp_path, lambda place: place.command("fine", 0), check=lambda r: r.err)
    assert (told.kind, told.text) == ("silent wrong", "fine\n")
    said = "Traceback (most recent call last)"
    assert outcome(tmp_path, lambda place: place.command(said, 0)).kind == "traceback"
    assert outcome(tmp_path, lambda place: place.command(said, 2)).kind == "traceback"


def test_what_cannot_be_must_be_refused(tmp_path):
    found = outcome(tmp_path, lambda place: 3, refuse=True)
    assert (found.kind, found.text) == ("silent wrong", "taken without a word: 3")
    assert outcome(tmp_path, lambda place: sys.exit(0)).kind == "silent wrong"
    assert outcome(tmp_path, lambda place: sys.exit(2)).kind == "refused"
    found = outcome(tmp_path, lambda place: 3, check=lambda r: "not 4")
    assert (found.kind, found.text) == ("silent wrong", "not 4")


def test_errors_that_are_no_words(tmp_path):
    for error in (KeyError("x"), UserError(""), MemoryError(), RecursionError()):
        assert outcome(tmp_path, fails(error)).kind == "traceback"
    assert outcome(tmp_path, fails(ValueError("x")), refusals=(ValueError,)).kind == "refused"


def test_an_end_without_words(tmp_path):
    found = outcome(tmp_path, lambda place: os.kill(os.getpid(), signal.SIGSEGV))
    assert (found.kind, found.text) == ("crash", "ended by SIGSEGV")
    assert outcome(tmp_path, lambda place: os._exit(0)).kind == "crash"


@pytest.mark.slow
def test_no_end(tmp_path, monkeypatch):
    def spins(place):
        while True:
            pass

    assert outcome(tmp_path, spins, seconds=1).kind == "hang"
    monkeypatch.setattr("reidkit.testing.fuzz.child.IDLE", 1)
    assert outcome(tmp_path, lambda place: time.sleep(60), seconds=1).kind == "hang"


@pytest.mark.slow
def test_a_case_that_waits_for_its_own_child_is_no_hang(tmp_path, monkeypatch):
    """Its own process sleeps, and a child of it works."""
    monkeypatch.setattr("reidkit.testing.fuzz.child.IDLE", 0.2)

    def waits_for_its_child(place):
        subprocess.run([sys.executable, "-c", "sum(range(60_000_000))"], check=True)
        return 3

    assert outcome(tmp_path, waits_for_its_child, seconds=20).kind == "taken"


def test_too_much_memory_is_a_traceback(tmp_path):
    found = outcome(tmp_path, lambda place: bytearray(20 << 30))
    assert found.kind == "traceback" and "MemoryError" in found.text


@pytest.mark.slow
def test_writes(tmp_path):
    def writes(name):
        def run(place):
            path = Path(place.here, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")

        return run

    assert outcome(tmp_path, writes("out/a.txt")).kind == "taken"
    assert outcome(tmp_path, writes("store/a.txt"), writes=("store",)).kind == "taken"
    assert outcome(tmp_path, writes("a.txt")).text == "1 paths, the first is a.txt"
    assert outcome(tmp_path, writes("outer/a.txt")).kind == "wrote outside"
    assert outcome(tmp_path, writes("../beside/precious.txt")).kind == "wrote outside"
    assert outcome(tmp_path, writes("../beside/new.txt")).kind == "wrote outside"
    changed = outcome(tmp_path, lambda place: (place.valid / "data.txt").write_text("changed"))
    assert changed.kind == "wrote outside"
    assert outcome(tmp_path, lambda place: place.mark.touch()).kind == "executed"


def test_a_case_that_cannot_be_made_is_no_good_outcome(tmp_path):
    (tmp_path / "valid").mkdir()
    broken = Door("toy", "a toy", lambda rng, place: 1 / 0)
    found = run_case(broken, 0, tmp_path / "valid", tmp_path / "case", cli)
    assert found.kind == "broken case" and "ZeroDivisionError" in found.text and not found.good


def test_the_same_seed_is_the_same_case(tmp_path):
    (tmp_path / "valid").mkdir()
    door = Door("toy", "a toy", lambda rng, place: Case(str(rng.random()), lambda: None))
    said = [run_case(door, s, tmp_path / "valid", tmp_path / "c", cli).what for s in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


def test_the_table_the_failures_and_the_page(tmp_path):
    door = Door("toy", "a toy", lambda rng, place: None)
    tally = Tally(door)
    for number, kind in enumerate(("refused", "refused", "right", "hang")):
        tally.add(number, Outcome(kind, "what", "said\nmore"), 0.5)
    text = table([tally])
    assert text.splitlines()[0].startswith(
        "| door | tried | refused | right | taken | silent wrong"
    )
    assert "| toy: a toy | 4 | 2 | 1 | 0 | 0 | 0 | 1 |" in text and "| **all** | 4 |" in text
    assert failures([tally]) == "toy:3  hang: what\n    said\n    more"
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- fuzz: begin -->\nold\n<!-- fuzz: end -->\nb\n")
    for _ in range(2):
        write_section(page, "fuzz", r"new \1")
    assert page.read_text() == "a\n<!-- fuzz: begin -->\nnew \\1\n<!-- fuzz: end -->\nb\n"
    page.write_text("nothing")
    with pytest.raises(UserError, match="has no lines"):
        write_section(page, "fuzz", "x")


def test_a_campaign_shares_its_time(tmp_path, monkeypatch):
    door = Door("toy", "a toy", lambda rng, place: Case("x", lambda: 3, check=lambda r: "no"))
    monkeypatch.setattr("reidkit.testing.fuzz.campaign.DOORS", {"toy": door})
    told: list[str] = []
    with Campaign(["toy"], cli) as campaign:
        tally = campaign.run(0.5, 100, told.append)["toy"]
    assert tally.counts.total() == len(told) >= 1 and told[0] == "toy:100  silent wrong: x"
    assert not campaign.folder.exists()
