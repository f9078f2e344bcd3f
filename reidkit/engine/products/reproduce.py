"""A paper's runs from one command: every variant and seed, and their numbers collected."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml

from reidkit.engine.devices import choose_device, choose_precision
from reidkit.engine.folder import begun
from reidkit.errors import UserError
from reidkit.utils.commit import commit
from reidkit.utils.trouble import make_folder

RESULT = "metrics.json"  # what a run leaves in its folder
WORDS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass
class Plan:
    """What a table is made of; read from ``configs/<plugin>/reproduce.yaml``.

    Attributes:
        title: of the page.
        seeds: one run each, of rows that name none of their own.
        runs: row name -> ``config``, ``overrides`` and ``seeds``.
        retests: row name -> ``of`` (rows tested again) and ``overrides`` for the test.
        directions: pairs that should show: ``better``, ``worse`` (rows, or "A - B"), ``test``,
            ``metric``, ``claim`` in words, ``published`` (the paper's gain, in words: these are on
            the front page), ``expect: no gain`` for a control.
        paper: what the front page calls it.
        published: the paper's table: ``source`` in words, ``columns``, and ``rows`` by name.
        notes: what is to be said below the tables, Markdown.
        logs: names of values that the model logs in training, as further columns: their means over
            the last epoch. A direction names one by ``test: log`` and ``metric: <name>``.
        curves: what is drawn over the iterations of training: ``rows`` and ``logs``.
    """

    title: str
    seeds: list[int]
    runs: dict[str, dict]
    retests: dict[str, dict] = field(default_factory=dict)
    directions: list[dict] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    curves: dict[str, list[str]] = field(default_factory=dict)
    paper: str = ""
    published: dict = field(default_factory=dict)
    notes: str = ""

    def seeds_of(self, row: str) -> list[int]:
        """The seeds of a row: its own, or the plan's."""
        return self.runs[row].get("seeds", self.seeds)

    @property
    def all_seeds(self) -> list[int]:
        """Every seed that some row is run with, in order."""
        return sorted({seed for row in self.runs for seed in self.seeds_of(row)})


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        UserError: no such file, keys that a plan does not have, or = in the name of a row.
    """
    if not path.is_file():
        found = ", ".join(
            sorted(p.parent.name for p in path.parent.parent.glob("*/reproduce.yaml"))
        )
        raise UserError(f"{path}: no plan for this table; there are plans for: {found or 'none'}")
    content = yaml.safe_load(path.read_text())
    try:
        plan = Plan(**content)
    except TypeError as error:
        raise UserError(f"{path}: {error}; a plan has {', '.join(Plan.__annotations__)}") from None
    for row in plan.runs:
        if "=" in row:  # after --only it would be taken for an override
            raise UserError(f"{path}: the row {row!r} needs another name, without =")
    return plan


def run_all(
    plan: Plan,
    folder: Path,
    overrides: Sequence[str],
    jobs: int,
    only: Sequence[str] | None = None,
) -> None:
    """Train and retest everything that is not there yet; each run is a process of its own.

    Args:
        plan: the table.
        folder: holds one run folder per row and seed; finished ones are kept.
        overrides: added to every run.
        jobs: runs at a time; each gets one CPU thread when there are several.
        only: names of the rows to run; None for all.

    Raises:
        UserError: a row that the plan does not have, or a run that failed.
    """
    unknown = [row for row in only or [] if row not in plan.runs]
    if unknown:
        raise UserError(f"no row named {unknown[0]!r}; rows: {', '.join(plan.runs)}")
    wanted = {row: spec for row, spec in plan.runs.items() if only is None or row in only}
    train = [
        (
            row,
            seed,
            _train_command(spec, seed, folder / run_name(row, seed), overrides),
            folder / run_name(row, seed) / RESULT,
            machine([*spec.get("overrides", []), *overrides]),
        )
        for seed in plan.all_seeds
        for row, spec in wanted.items()
        if seed in plan.seeds_of(row) and not (folder / run_name(row, seed) / RESULT).exists()
    ]
    print(f"{len(train)} runs to train, {jobs} at a time, in {folder}", flush=True)
    _execute(train, folder, jobs)
    # where data lies, ...
    settings = [o for o in overrides if o.lstrip("+").startswith("settings.")]
    retest = [
        (
            f"{row}, {name}",
            seed,
            _retest_command(spec, folder / run_name(row, seed), out, settings),
            out,
            machine([*plan.runs[row].get("overrides", []), *settings, *spec["overrides"]]),
        )
        for seed in plan.all_seeds
        for name, spec in plan.retests.items()
        for row in spec["of"]
        if row in wanted
        and seed in plan.seeds_of(row)
        and not (out := folder / run_name(row, seed) / f"retest_{slug(name)}.json").exists()
    ]
    print(f"{len(retest)} tests to repeat", flush=True)
    _execute(retest, folder, jobs)


def _execute(work: list[tuple], folder: Path, jobs: int) -> None:
    environment = dict(os.environ)
    if jobs > 1:
        environment.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    make_folder(folder)
    running: set[subprocess.Popen] = set()

    def one(row: str, seed: int, command: list[str], result: Path, where: str) -> str:
        log = folder / f"{run_name(row, seed)}.txt"
        with (
            open(log, "w") as file,
            subprocess.Popen(command, stdout=file, stderr=file, env=environment) as process,
        ):
            running.add(process)
            status = process.wait()
        running.discard(process)
        if status:
            tail = "\n".join(log.read_text().splitlines()[-5:])
            raise UserError(f"{row}, seed {seed} failed; the end of {log}:\n{tail}")
        code_file(result).write_text(f"{commit()}\n{where}\n")
        return f"{row}, seed {seed}"

    with ThreadPoolExecutor(jobs) as pool:
        pending = [pool.submit(one, *item) for item in work]
        try:
            for number, future in enumerate(as_completed(pending), 1):
                print(f"{number}/{len(pending)} {future.result()}", flush=True)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, UserError):  # a signal; else what runs beside it is finished
                for process in list(running):
                    process.terminate()  # a training goes on from its checkpoint next time
            raise


def _train_command(spec: dict, seed: int, out: Path, overrides: Sequence[str]) -> list[str]:
    base = [sys.executable, "-m", "reidkit.cli.main", "train", spec["config"]]
    seeded = [f"settings.seed={seed}", *spec.get("overrides", []), *overrides]
    resume = ["--resume"] if begun(out) else []
    return [*base, *seeded, "--work-dir", str(out), *resume]


def _retest_command(spec: dict, run: Path, out: Path, settings: list[str]) -> list[str]:
    base = [sys.executable, "-m", "reidkit.cli.main", "test", str(run)]
    return [
        *base,
        *settings,
        *spec["overrides"],
        "--out",
        str(out),
        "--queries",
        str(out.with_suffix("")),
    ]


def slug(name: str) -> str:
    """A row's name as part of a file's.

    Example:
        >>> slug("f_prim + f_fine")
        'f_prim___f_fine'
    """
    return "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")


def code_file(result: Path) -> Path:
    """The file that names the commit and the machine of a result, a line each.

    Args:
        result: of a run, or of a repeated test, which may be of another commit than its run.

    Example:
        >>> code_file(Path("run/metrics.json")).name, code_file(Path("run/retest_rr.json")).name
        ('metrics.code.txt', 'retest_rr.code.txt')
    """
    return result.with_suffix(".code.txt")


def run_name(row: str, seed: int) -> str:
    """The folder of a row's run.

    Example:
        >>> run_name("PAP-S-PS", 2)
        'pap_s_ps-s2'
    """
    return f"{slug(row)}-s{seed}"


def machine(overrides: Sequence[str] = ()) -> str:
    """What runs are made on and in which precision, in words.

    Args:
        overrides: of the runs; ``settings.precision`` may be among them.
    """
    asked = [o.partition("=")[2] for o in overrides if o.startswith("settings.precision=")]
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    precision = choose_precision(asked[-1] if asked else "auto", choose_device("auto"))
    where = f"{platform.machine()}, {os.cpu_count()} cores, {card}"
    return f"{where}, {WORDS[precision]}, torch {torch.__version__}"
