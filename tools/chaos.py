#!/usr/bin/env python
"""Kill reidkit at many moments, go on, and compare with runs that nobody broke; or start it twice.

  python tools/chaos.py --points 100 --seed 0
  python tools/chaos.py --points 10 --only render extract
  python tools/chaos.py --points 0 --pairs 20
  python tools/chaos.py --points 100 --pairs 20 --page docs/reliability.md --json chaos.json

A trial starts a command on tiny data and kills it (SIGKILL): at a random time, or at a random one
of the moments at which it opens a file to write, renames or removes one, or some milliseconds
after. Some trials are killed again while they go on. Then the command goes on as its user would
type it and must end with what the unbroken command left, bit for bit: images, labels, features,
numbers of the test, losses, weights. No process of it may be left, and no unfinished file at the
end.

Every trial is forked from this process, which has imported torch and reidkit, so that it costs a
second or two. The exit status is 1 where anything failed. Uses one processor core, and Linux."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from chaos_works import TRAIN, Work, import_everything, run_result, stored_labels, works

from reidkit.cli.common import entry_point


@dataclass
class Trial:
    """What came of one trial; ``problems`` is empty where all is as it must be."""

    work: str
    kills: list[str] = field(default_factory=list)
    left_by_kill: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class Campaign:
    """Unbroken runs, then trials against them.

    Args:
        base: folder for everything.
        seed: of all moments.
    """

    def __init__(self, base: Path, seed: int):
        from reidkit.testing import kills  # not by the renderer's processes, which read this file

        import_everything()
        self.kills, self.base, self.draw = kills, base, random.Random(seed)
        self.wanted: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        self.moments: dict[str, int] = {}
        self.trials: list[Trial] = []
        self.pairs_done: list[Trial] = []
        self.processes: list[int] = []

    def started(self, arguments: list[str], folder: Path, at: int = 0, delay: float = 0.0) -> int:
        """A process that runs one command of ``reidkit``; see ``reidkit.testing.kills``."""
        from reidkit.cli.main import main

        self.processes.append(self.kills.started(partial(main, arguments), folder, at, delay))
        return self.processes[-1]

    def unbroken(self, work: Work) -> None:
        """Run a command to its end and keep what it leaves, in ``base``/its name."""
        folder = self.base / work.name.replace("/", "_")
        folder.mkdir()
        work.before(folder)
        began = time.monotonic()
        status = self.kills.ended(self.started(work.command(folder), folder))
        if status:
            sys.exit(f"{work.name}: unbroken, exit status {status}\n{(folder / 'log').read_text()}")
        self.seconds[work.name] = time.monotonic() - began
        self.moments[work.name] = len((folder / "moments").read_text().splitlines())
        self.wanted[work.name] = work.result(folder)
        if not self.wanted[work.name] or self.kills.litter(folder):
            sys.exit(f"{work.name}: unbroken, left {self.kills.litter(folder)}, result of "
                     f"{len(self.wanted[work.name])} parts")  # fmt: skip
        if not (self.base / "data").exists():  # the first one: what the others read
            (self.base / "data").symlink_to(folder / "data")

    def trial(self, work: Work, number: int) -> Trial:
        """Kill once or twice, go on, compare."""
        folder = self.base / f"trial{number}"
        folder.mkdir()
        work.before(folder)
        trial, began = Trial(work.name), time.monotonic()
        arguments = work.command(folder)
        for _ in range(1 + (self.draw.random() < 0.2)):
            killed = self._kill(work, arguments, folder)
            if isinstance(killed, int):
                break
            trial.kills.append(killed[0])
            if killed[1]:
                trial.problems.append(f"{killed[1]} processes left")
            arguments = [*work.command(folder), *work.again]
        trial.left_by_kill = len(self.kills.litter(folder))
        status = killed if isinstance(killed, int) else self._go_on(arguments, folder)
        if status:
            text = (folder / "log").read_text().splitlines()[-12:]
            trial.problems.append(f"exit status {status}: " + " | ".join(text))
        else:
            got, wanted = work.result(folder), self.wanted[work.name]
            differs = [k for k in {**wanted, **got} if got.get(k) != wanted.get(k)]
            trial.problems += [f"{name} differs" for name in differs[:5]]
        trial.problems += [f"left: {name}" for name in self.kills.litter(folder)]
        trial.seconds = round(time.monotonic() - began, 2)
        if not trial.problems:
            shutil.rmtree(folder)
        return trial

    def _go_on(self, arguments: list[str], folder: Path) -> int:
        return self.kills.ended(self.started(arguments, folder))

    def _kill(self, work: Work, arguments: list[str], folder: Path) -> tuple[str, int] | int:
        """Start and kill: what was going on, and how many processes are left.

        Where the command had ended before, its exit status.
        """
        aimed = self.draw.random() < 0.6 and self.moments[work.name] > 20
        at = self.draw.randint(1, self.moments[work.name]) if aimed else 0
        delay = self.draw.choice([0.0, 0.0, self.draw.uniform(1e-4, 5e-3)])
        wait = self.draw.uniform(0.0, self.seconds[work.name])
        process = self.started(arguments, folder, at, delay)
        if not aimed:
            deadline = time.monotonic() + wait
            while time.monotonic() < deadline and not os.waitid(
                os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                time.sleep(0.002)
            os.kill(process, signal.SIGKILL)
        if (status := self.kills.ended(process)) != -signal.SIGKILL:
            return status
        lines = (folder / "moments").read_text().splitlines()
        last = re.sub(r"\.\d+-[0-9a-f]{8}\.tmp", ".*.tmp", lines[-1]) if lines else "start"
        how = f"{wait:.2f} s, after {last}" if not aimed else f"at {last}"
        return how + (
            f" + {1000 * delay:.1f} ms" if aimed and delay else ""
        ), self.kills.left_processes(process)

    def kill_points(self, chosen: list[Work], points: int) -> None:
        """Trials until there are so many kill points, each kind of work its share."""
        killable = [work for work in chosen for _ in range(work.share)]
        while sum(len(trial.kills) for trial in self.trials) < points:
            number = len(self.trials)
            trial = self.trial(killable[number % len(killable)], number)
            self.trials.append(trial)
            done = sum(len(one.kills) for one in self.trials)
            said = "; ".join(trial.problems) or "equal"
            print(f"{done}/{points} {trial.work}, {trial.seconds} s, {trial.kills}: {said}",
                  flush=True)  # fmt: skip

    def pairs(self, count: int) -> None:
        """Two ``train`` commands at once: same data to be rendered and labelled, same run name."""
        wanted = next(v for k, v in self.wanted["train eanet/pap_s_ps"].items() if "tests" in k)
        labels = stored_labels(self.base / "data")
        for number in range(count):
            folder, trial, began = self.base / f"pair{number}", Trial("pair"), time.monotonic()
            folder.mkdir()
            command = ["train", "eanet/pap_s_ps", *TRAIN, "data=synthped_tiny",
                       "model.backbone.width=8", "model.backbone.depth=10",
                       f"settings.data_root={folder / 'data'}",
                       f"settings.work_dir={folder / 'runs'}"]  # fmt: skip
            states = [
                self.kills.ended(one) for one in [self.started(command, folder) for _ in range(2)]
            ]
            names = sorted(path.name for path in (folder / "runs").glob("*"))
            got = run_result(folder / "runs")
            if states != [0, 0]:
                trial.problems.append(f"exit statuses {states}")
            if len(names) != 2 or names[1] != f"{names[0]}-2":
                trial.problems.append(f"run folders {names}")
            if [v for k, v in got.items() if k.endswith(" tests")] != [wanted] * 2:
                trial.problems.append("numbers differ from those of a run alone")
            if stored_labels(folder / "data") != labels:
                trial.problems.append("labels differ from those of a run alone")
            trial.problems += [f"left: {name}" for name in self.kills.litter(folder)]
            trial.seconds = round(time.monotonic() - began, 2)
            print(f"pair {number + 1}/{count}, {trial.seconds} s: "
                  f"{'; '.join(trial.problems) or 'equal'}", flush=True)  # fmt: skip
            self.pairs_done.append(trial)
            if not trial.problems:
                shutil.rmtree(folder)


def section(campaign: Campaign, command: str) -> str:
    """The campaign as a section in Markdown."""
    from reidkit.testing.pages import program_version

    pairs = campaign.pairs_done
    rows = [
        "| work | unbroken, s | kill points | trials | with files left by the kill | "
        "differ or fail afterwards | files or processes left |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in campaign.wanted:
        trials = [trial for trial in campaign.trials if trial.work == name]
        if trials:
            left = [t for t in trials if any("left" in p for p in t.problems)]
            wrong = [t for t in trials if any("left" not in p for p in t.problems)]
            rows.append(
                f"| {name} | {campaign.seconds[name]:.1f} | {sum(len(t.kills) for t in trials)} | "
                f"{len(trials)} | {sum(t.left_by_kill > 0 for t in trials)} | {len(wrong)} | "
                f"{len(left)} |"
            )
    points = sum(len(trial.kills) for trial in campaign.trials)
    text = [f"`{command}` at {program_version()}: {points} kill points.", "", *rows]
    if pairs:
        good = sum(not pair.problems for pair in pairs)
        text += ["", f"Two `train` commands started together on data that has to be rendered and "
                 f"labelled, same run name: {good} of {len(pairs)} pairs both finished with the "
                 "numbers and labels of a run alone."]  # fmt: skip
    return "\n".join(text)


def main(argv: list[str]) -> int:
    """Run the campaign that the command line asks for."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = command.add_argument
    add("--points", type=int, default=100, help="kill points (default: 100)")
    add("--pairs", type=int, default=0, help="pairs of commands started together (default: 0)")
    add("--seed", type=int, default=0, help="of the moments (default: 0)")
    add("--only", nargs="+", help="kinds of work by the beginning of their names; default: all")
    add("--page", type=Path, help="Markdown page whose section is written anew")
    add("--json", type=Path, help="write every trial there")
    add("--work", type=Path, help="folder for everything, kept; default: one that is removed")
    args = command.parse_args(argv)
    from reidkit.testing.pages import write_section
    from reidkit.utils.leftovers import scratch_folder
    from reidkit.utils.signals import signals_as_exceptions

    base = Path(args.work or scratch_folder("reidkit-chaos")).resolve()
    base.mkdir(parents=True, exist_ok=True)
    every = works(base)
    asked = tuple(args.only or [""])
    chosen = [work for work in every if work.share and work.name.startswith(asked)]
    if not chosen:
        names = ", ".join(work.name for work in every if work.share)
        command.error(f"--only {' '.join(asked)}: no such work; there are: {names}")
    campaign = Campaign(base, args.seed)  # imports what will be forked
    needed = {"render"} | ({"label", "train eanet/pap_s_ps"} if args.pairs else set())
    if any(work.name.startswith(("extract", "train")) for work in chosen):
        needed |= {"label", "train eanet/pap_s_ps"}
    if any("drsa" in work.name for work in chosen):
        needed.add("render video")
    for work in every:
        if work in chosen or work.name in needed:
            campaign.unbroken(work)
            print(f"unbroken {work.name}: {campaign.seconds[work.name]:.1f} s, "
                  f"{campaign.moments[work.name]} changes of files", flush=True)  # fmt: skip
    try:
        with signals_as_exceptions():
            campaign.kill_points(chosen, args.points)
            if args.pairs:
                campaign.pairs(args.pairs)
    except KeyboardInterrupt:  # what was tried until then counts
        print("broken off")
        campaign.kills.end_all(campaign.processes)
    every_trial = [*campaign.trials, *campaign.pairs_done]
    typed = " ".join(["python", "tools/chaos.py", *argv])
    text = section(campaign, re.sub(r" --(page|json|work) \S+", "", typed))
    print(f"\n{text}")
    if args.json:
        rows = dict(seed=args.seed, trials=[asdict(one) for one in every_trial])
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if args.page:
        write_section(args.page, "chaos", text)
    failed = any(trial.problems for trial in every_trial)
    if not args.work and not failed:
        shutil.rmtree(base)
    return int(failed)


if __name__ == "__main__":
    entry_point(main)
