"""Threads that wait give their core away; a busy machine is said."""

import os

from reidkit.cli.common import run_cli
from reidkit.utils.threads import SPINS, busy_machine, limit_spinning


def test_commands_limit_spinning_before_they_run(monkeypatch, capsys):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")  # so that it is put back
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run_cli(lambda argv: print(os.environ["GOMP_SPINCOUNT"]), [])
    assert capsys.readouterr().out == f"{SPINS}\n"


def test_what_a_person_has_set_is_kept(monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    limit_spinning()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_other_work_on_the_cores_is_said(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "getloadavg", lambda: (8.2, 1.0, 1.0))
    assert "load 8 on 2 cores" in busy_machine(2) and busy_machine(1) == ""
    monkeypatch.setattr(os, "getloadavg", lambda: (2.4, 9.0, 9.0))
    assert busy_machine(2) == ""
