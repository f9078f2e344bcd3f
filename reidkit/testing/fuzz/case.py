"""One input for one door: how it is opened, and what a right answer would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from reidkit.errors import UserError
from reidkit.testing.fuzz.capture import captured

Cli = Callable[[Sequence[str]], int]
REFUSED, RIGHT, TAKEN = "refused", "right", "taken"
WRONG, TRACEBACK, HANG = "silent wrong", "traceback", "hang"
CRASH, OUTSIDE, EXECUTED = "crash", "wrote outside", "executed"
BROKEN = "broken case"  # the campaign's own fault
GOOD = (REFUSED, RIGHT, TAKEN)
BAD = (WRONG, TRACEBACK, HANG, CRASH, OUTSIDE, EXECUTED, BROKEN)


@dataclass(frozen=True)
class Case:
    """One input, ready to be opened.

    Args:
        what: what was done to a valid input, in a few words.
        run: opens the door; what it returns is given to ``check``.
        check: "" for a right result, else in words what is wrong with it, or None where there is
            nothing to compare the result with; no check is the same.
        refuse: the input can have no result: it must be refused.
        refusals: exceptions that are refusals when they have words.
    """

    what: str
    run: Callable[[], Any]
    check: Callable[[Any], str | None] | None = None
    refuse: bool = False
    refusals: tuple[type[BaseException], ...] = (UserError,)


@dataclass(frozen=True)
class Outcome:
    """What became of a case: one of the kinds above, and what was said."""

    kind: str
    what: str = ""
    text: str = ""

    @property
    def good(self) -> bool:
        """Whether it was refused in words or taken without harm."""
        return self.kind in GOOD


@dataclass
class Place:
    """Where a case may work: folders of its own, and valid inputs that it must leave alone.

    Attributes:
        here: the current folder, empty at first; inputs are put there.
        out: where results may be written, as ``out/...``.
        valid: the door's valid inputs, of ``Door.prepare``.
        mark: a file that hostile inputs make when something in them is executed.
        cli: runs a command line as ``reidkit`` does and returns its exit status.
    """

    here: Path
    out: Path
    valid: Path
    mark: Path
    cli: Cli

    def command(self, *argv: Any) -> Command:
        """Run ``reidkit`` with arguments; a refusal in words is raised as ``UserError``."""
        with captured() as printed:
            try:
                status = self.cli([str(one) for one in argv])
            except SystemExit as error:  # of argparse, which has said why
                status = error.code if isinstance(error.code, int) else 1
        if status == 2 and printed.err.strip():
            raise UserError(printed.err.strip())
        return Command(status, printed.out, printed.err)


@dataclass(frozen=True)
class Command:
    """What a command line left: its exit status and what it printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Door:
    """A way into reidkit that takes something from outside.

    Args:
        name: as in ``--door``.
        about: what is tried there, for the table.
        make: (rng, place) -> case; all that is random comes from ``rng``.
        prepare: (folder, cli) makes valid inputs there, once; slow things belong here.
        writes: names below ``here`` that the door may write to.
        share: how much of the campaign's time it gets, compared with others.
        seconds: processor time after which it counts as hanging.
    """

    name: str
    about: str
    make: Callable[[Random, Place], Case]
    prepare: Callable[[Path, Cli], None] = field(default=lambda folder, cli: None)
    writes: tuple[str, ...] = ()
    share: float = 1.0
    seconds: int = 30
