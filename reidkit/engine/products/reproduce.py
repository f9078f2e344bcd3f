"""A paper's table from one command: every variant, several seeds, mean and spread, directions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import yaml

from reidkit.errors import UserError

METRICS = ("mAP", "R1")


@dataclass
class Plan:
    """What a table is made of; read from ``configs/<plugin>/reproduce.yaml``.

    Attributes:
        title: of the page.
        seeds: one run each.
        runs: row name -> ``config`` and ``overrides``.
        retests: row name -> ``of`` (rows tested again) and ``overrides`` for the test.
        directions: pairs that should show: ``better``, ``worse``, ``test``, ``why``.
        logs: names of values that the model logs in training, as further columns: their means over
            the last epoch. A direction names one by ``test: log`` and ``metric: <name>``.
    """

    title: str
    seeds: list[int]
    runs: dict[str, dict]
    retests: dict[str, dict] = field(default_factory=dict)
    directions: list[dict] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)


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
        (row, seed, _train_command(spec, seed, folder / _slug(row, seed), overrides))
        for seed in plan.seeds
        for row, spec in wanted.items()
        if not (folder / _slug(row, seed) / "metrics.json").exists()
    ]
    print(f"{len(train)} runs to train, {jobs} at a time, in {folder}", flush=True)
    _execute(train, folder, jobs)
    retest = [
        (f"{row}, {name}", seed, _retest_command(spec, folder / _slug(row, seed), out))
        for seed in plan.seeds
        for name, spec in plan.retests.items()
        for row in spec["of"]
        if row in wanted
        and not (out := folder / _slug(row, seed) / f"retest_{_slug(name)}.json").exists()
    ]
    print(f"{len(retest)} tests to repeat", flush=True)
    _execute(retest, folder, jobs)


def _execute(work: list[tuple], folder: Path, jobs: int) -> None:
    environment = dict(os.environ)
    if jobs > 1:
        environment.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    folder.mkdir(parents=True, exist_ok=True)

    def one(row: str, seed: int, command: list[str]) -> str:
        log = folder / f"{_slug(row, seed)}.txt"
        with open(log, "w") as file:
            status = subprocess.run(command, stdout=file, stderr=file, env=environment).returncode
        if status:
            tail = "\n".join(log.read_text().splitlines()[-5:])
            raise UserError(f"{row}, seed {seed} failed; the end of {log}:\n{tail}")
        return f"{row}, seed {seed}"

    with ThreadPoolExecutor(jobs) as pool:
        pending = [pool.submit(one, *item) for item in work]
        for number, future in enumerate(as_completed(pending), 1):
            if future.exception():
                for other in pending:
                    other.cancel()
            print(f"{number}/{len(pending)} {future.result()}", flush=True)


def _train_command(spec: dict, seed: int, out: Path, overrides: Sequence[str]) -> list[str]:
    base = [sys.executable, "-m", "reidkit.cli.main", "train", spec["config"]]
    seeded = [f"settings.seed={seed}", *spec.get("overrides", []), *overrides]
    resume = ["--resume"] if (out / "checkpoints" / "last.pth").exists() else []
    return [*base, *seeded, "--work-dir", str(out), *resume]


def _retest_command(spec: dict, run: Path, out: Path) -> list[str]:
    base = [sys.executable, "-m", "reidkit.cli.main", "test", str(run)]
    return [*base, *spec["overrides"], "--out", str(out)]


def _slug(name: str, seed: int | None = None) -> str:
    kept = "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")
    return kept if seed is None else f"{kept}-s{seed}"


def collect(plan: Plan, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Row -> "<test> <metric>" -> one value per seed, in percent; nan where a seed is not run.

    Logged values are "log <name>", as they are.

    Rows of which no seed is run are left out.
    """
    files = {row: (row, "metrics.json") for row in plan.runs}
    for name, spec in plan.retests.items():
        files |= {f"{row}, {name}": (row, f"retest_{_slug(name)}.json") for row in spec["of"]}
    table: dict[str, dict[str, np.ndarray]] = {}
    for title, (row, file) in files.items():
        paths = [folder / _slug(row, seed) / file for seed in plan.seeds]
        files_read = [json.loads(p.read_text()) if p.exists() else {} for p in paths]
        runs = [content.get("tests") for content in files_read]
        first = next((run for run in runs if run), None)
        if first is None:
            continue
        table[title] = {
            f"{test} {metric}": np.array(
                [100 * run[test]["metrics"][metric] if run else np.nan for run in runs]
            )
            for test in first
            for metric in METRICS
            if metric in first[test]["metrics"]
        }
        logs = [content.get("logs", {}) for content in files_read]
        for name in (name for name in plan.logs if any(name in log for log in logs)):
            values = np.array([log.get(name, np.nan) for log in logs])
            table[title][f"log {name}"] = values
    return table


def markdown(plan: Plan, table: dict, command: str) -> str:
    """The page: what was run where, the table, and which directions show."""
    columns = list(dict.fromkeys(c for values in table.values() for c in values))
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    lines = [
        f"# {plan.title}",
        "",
        f"Made by `{command}` ({platform.machine()}, {os.cpu_count()} cores, {machine}, "
        f"torch {torch.__version__}). In percent, mean ± standard deviation over "
        f"{len(plan.seeds)} seeds unless the row says fewer.",
        "SynthPed is synthetic: these numbers say nothing about real photographs.",
        "",
        "| | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for row, values in table.items():
        count = int(np.isfinite(next(iter(values.values()))).sum())
        fewer = "" if count == len(plan.seeds) else f" ({count} seed{'s' if count > 1 else ''})"
        cells = [
            _cell(values[c], 2 if c.startswith("log ") else 1) if c in values else ""
            for c in columns
        ]
        lines.append(f"| {row}{fewer} | " + " | ".join(cells) + " |")
    missing = [row for row in plan.runs if row not in table]
    if missing:
        lines += ["", f"Not run: {', '.join(missing)}."]
    lines += ["", "## Directions", "", "| claim | difference by seed | verdict |", "|---|---|---|"]
    lines += [_direction(spec, table) for spec in plan.directions]
    return "\n".join(lines) + "\n"


def _cell(values: np.ndarray, digits: int = 1) -> str:
    run = values[np.isfinite(values)]
    spread = f" ± {run.std(ddof=1):.{digits}f}" if len(run) > 1 else ""
    return f"{run.mean():.{digits}f}" + spread if len(run) else ""


def _direction(spec: dict, table: dict) -> str:
    """One claim: paired differences by seed; it shows when the mean is above twice its error."""
    key = f"{spec.get('test', 'target')} {spec.get('metric', 'mAP')}"
    claim = spec.get("claim") or f"{spec['better']} > {spec['worse']} ({key})"
    rows = [r for side in (spec["better"], spec["worse"]) for r in side.split(" - ")]
    if any(row not in table for row in rows):
        return f"| {claim} | | not run |"
    if any(key not in table[row] for row in rows):
        return f"| {claim} | | not measured |"
    gap = _value(spec["better"], table, key) - _value(spec["worse"], table, key)
    gap = gap[np.isfinite(gap)]
    listed = ", ".join(f"{g:+.2f}" if key.startswith("log ") else f"{g:+.1f}" for g in gap)
    if len(gap) < 3:
        return f"| {claim} | {listed} | too few seeds to say |"
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    verdict = (
        "shows" if gap.mean() > 2 * error else "reversed" if -gap.mean() > 2 * error else "tie"
    )
    return f"| {claim} | {listed} | {verdict} |"


def _value(name: str, table: dict, key: str) -> np.ndarray:
    """A row's values, or the difference of two rows written "A - B"."""
    if " - " in name:
        first, second = name.split(" - ")
        return table[first][key] - table[second][key]
    return table[name][key]
