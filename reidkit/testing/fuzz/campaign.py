"""Many cases for every door, within a time; the table of what became of them."""

from __future__ import annotations

import resource
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from reidkit.errors import UserError
from reidkit.testing.fuzz.case import BAD, REFUSED, RIGHT, TAKEN, Cli, Door, Outcome
from reidkit.testing.fuzz.child import run_case
from reidkit.testing.fuzz.doors import (
    comparisons,
    configs,
    distances,
    extractor,
    folders,
    images,
    label_stores,
    labels,
    manifests,
    readers,
    rendering,
    runs,
    stores,
    tables,
    weights,
)
from reidkit.utils.leftovers import scratch_folder

DOORS: dict[str, Door] = {
    door.name: door
    for door in (
        tables.DOOR, distances.DOOR, stores.DOOR, comparisons.DOOR, labels.DOOR, label_stores.DOOR,
        images.DOOR, folders.DOOR, readers.DOOR, configs.CONFIGS, configs.OVERRIDES,
        manifests.DOOR, runs.DOOR, weights.DOOR, extractor.DOOR, rendering.DOOR,
    )
}  # fmt: skip


@dataclass
class Tally:
    """What became of the cases of one door."""

    door: Door
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, Outcome]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, seed: int, outcome: Outcome, seconds: float) -> None:
        """One more case."""
        self.counts[outcome.kind] += 1
        self.seconds += seconds
        if not outcome.good:
            self.failures.append((seed, outcome))


class Campaign:
    """Doors with their valid inputs, in a folder of its own.

    Args:
        doors: names, of ``DOORS``.
        cli: runs a command line and returns its exit status.

    Raises:
        UserError: no such door.

    Example:
        >>> Campaign(["door of no house"], lambda argv: 0)
        Traceback (most recent call last):
        reidkit.errors.UserError: no door named 'door of no house'; doors: comparisons, configs, ...
    """

    def __init__(self, doors: Iterable[str], cli: Cli):
        for name in doors:
            if name not in DOORS:
                raise UserError(f"no door named {name!r}; doors: {', '.join(sorted(DOORS))}")
        self.doors, self.cli = [DOORS[name] for name in doors], cli
        self.folder = scratch_folder("reidkit-fuzz")

    def __enter__(self) -> Campaign:
        for door in self.doors:
            place = self.folder / door.name / "valid"
            place.mkdir(parents=True)
            door.prepare(place, self.cli)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def one(self, door: Door, seed: int) -> Outcome:
        """The case of a door that a seed gives.

        Args:
            door: one of ``doors``.
            seed: of the case.
        """
        base = self.folder / door.name
        return run_case(door, seed, base / "valid", base / f"case{seed}", self.cli)

    def run(
        self, seconds: float, seed: int, say: Callable[[str], None] = print
    ) -> dict[str, Tally]:
        """Cases until the time is over; each door gets its share of it, and ten cases at least.

        Args:
            seconds: of processor time, of this process and its children: on a core that nobody
                else uses, of the clock. What the valid inputs took does not count.
            seed: the first case of each door has it, the next ones the numbers that follow.
            say: is told of every failure at once.
        """
        tallies = {door.name: Tally(door) for door in self.doors}
        end = processor_time() + seconds
        while processor_time() < end:
            tally = min(
                tallies.values(), key=lambda t: (t.counts.total() > 9, t.seconds / t.door.share)
            )
            number, began = seed + tally.counts.total(), processor_time()
            try:
                outcome = self.one(tally.door, number)
            except KeyboardInterrupt:  # what was tried until then counts
                say("broken off")
                break
            tally.add(number, outcome, processor_time() - began)
            if not outcome.good:
                say(f"{tally.door.name}:{number}  {outcome.kind}: {outcome.what}")
        return tallies


def processor_time() -> float:
    """Seconds that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def table(tallies: Iterable[Tally]) -> str:
    """What became of the cases, a row per door, as Markdown.

    Args:
        tallies: of ``Campaign.run``.
    """
    kinds = (REFUSED, RIGHT, TAKEN, *BAD[:-1])
    rows = ["| door | tried | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 2) + "|"]
    total: Counter[str] = Counter()
    for tally in tallies:
        total += tally.counts
        rows.append(_row(f"{tally.door.name}: {tally.door.about}", tally.counts, kinds))
    return "\n".join([*rows, _row("**all**", total, kinds)])


def _row(name: str, counts: Counter[str], kinds: Sequence[str]) -> str:
    cells = [f"{counts[kind]:,}" for kind in kinds]
    return f"| {name} | {counts.total():,} | {' | '.join(cells)} |"


def failures(tallies: Iterable[Tally]) -> str:
    """Every failure with its seed, in words; empty without one."""
    return "\n".join(
        f"{tally.door.name}:{seed}  {outcome.kind}: {outcome.what}\n    {_end_of(outcome.text)}"
        for tally in tallies
        for seed, outcome in tally.failures
    )


def _end_of(text: str) -> str:
    """The last lines, which say what it was; ``--replay`` shows all of it."""
    return "\n    ".join(text.strip().splitlines()[-4:])
