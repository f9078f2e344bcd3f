"""Too few open files are said before loader processes start, where torch would wait for ever."""

import resource
import subprocess
import sys

import pytest

from reidkit.errors import UserError
from reidkit.utils import handles

LIMIT = resource.RLIMIT_NOFILE


def test_too_few_are_refused_with_what_would_work(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (24, 24))
    with pytest.raises(UserError, match=r"2 loader processes need about \d+ open files.*allows 24"):
        handles.ensure_handles(2)
    handles.ensure_handles(0)


def test_the_own_limit_is_raised_as_far_as_needed(monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (24, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
    handles.ensure_handles(2)
    ((soft, hard),) = asked
    assert 48 <= soft <= 512 and hard == 4096


@pytest.mark.slow
def test_a_loader_says_it_instead_of_waiting():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
        "from reidkit.data.loader import make_loader\n"
        "from reidkit.errors import UserError\n"
        "try: make_loader([1, 2], workers=2)\n"
        "except UserError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "loader processes need about" in done.stdout, done.stderr
