"""Progress lines."""

from __future__ import annotations

import io

import pytest

from reidkit.utils import progress
from reidkit.utils.progress import clock, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_sparse_lines(monkeypatch):
    now = iter([0.0, 6.0, 12.0, 18.0, 24.0, 24.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    out = io.StringIO()
    assert list(track("abcd", label="rendering", unit="images", stream=out, every=10)) == [*"abcd"]
    assert out.getvalue().splitlines() == [
        "rendering: 2/4 images, 0:12, 0:12 left",
        "rendering: 4/4 images, 0:24",
    ]


def test_unknown_total():
    out = io.StringIO()
    assert list(track(iter("ab"), label="x", stream=out)) == ["a", "b"]
    assert out.getvalue() == "x: 2, 0:00\n"


def test_silent_and_empty():
    out = io.StringIO()
    assert list(track([1], stream=out, show=False)) == [1] and out.getvalue() == ""
    assert list(track([], label="x", unit="images", stream=out)) == []
    assert out.getvalue() == "x: 0/0 images, 0:00\n"


def test_bar_on_a_terminal():
    out = Terminal()
    assert list(track([1, 2], label="rendering", unit="images", stream=out)) == [1, 2]
    assert "rendering: 100%" in out.getvalue() and "2/2" in out.getvalue()


@pytest.mark.parametrize(
    "seconds, text", [(0, "0:00"), (59.6, "1:00"), (3599.9, "1:00:00"), (-3, "0:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
