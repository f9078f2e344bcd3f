"""What the models of a plan's rows log in training, as a picture beside its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reidkit.engine.products.reproduce import Plan, run_name
from reidkit.errors import UserError
from reidkit.report.scalars import Curve, training_curves
from reidkit.viz.curves import panels


def draw_curves(path: Path, plan: Plan, folder: Path) -> None:
    """Draw the ``curves`` of a plan, a panel per value and a line per row: mean and range of seeds.

    A run of several stages counts from the first stage that logs the value. Nothing is drawn, and
    an earlier picture stays, unless the folder has every seed of these rows.

    Args:
        path: of the PNG file.
        plan: names ``rows`` and ``logs``.
        folder: of its runs.

    Raises:
        UserError: a row that the plan does not have, or rows that log at other iterations.
    """
    rows, logs = (plan.curves.get(key, []) for key in ("rows", "logs"))
    for row in rows:
        if row not in plan.runs:
            raise UserError(f"curves: no row named {row!r}; rows: {', '.join(plan.runs)}")
    runs = {row: [folder / run_name(row, seed) for seed in plan.seeds_of(row)] for row in rows}
    if not (rows and logs) or not all(
        (run / "metrics.json").exists() for row in rows for run in runs[row]
    ):
        return
    curves = {
        name: {row: [_joined(training_curves(run, [name])) for run in runs[row]] for row in rows}
        for name in logs
    }
    steps = curves[logs[0]][rows[0]][0][0]
    for name, by_row in curves.items():
        for row, seeds in by_row.items():
            if any(not np.array_equal(at, steps) for at, _ in seeds):
                raise UserError(f"curves: {row} logs {name} at other iterations than {rows[0]}")
    groups = {
        name: {row: np.stack([values for _, values in seeds]) for row, seeds in by_row.items()}
        for name, by_row in curves.items()
    }
    panels(path, steps.tolist(), groups)


def _joined(stages: dict[str, Curve]) -> Curve:
    """One curve of the stages of a run that log a value, the run's own folder last."""
    steps, values, before = [np.zeros(0)], [np.zeros(0)], 0.0
    for name in sorted(stages, key=lambda name: (": " not in name, name)):
        at, logged = stages[name]
        steps.append(at + before)
        values.append(logged)
        before = float(steps[-1][-1])
    return np.concatenate(steps), np.concatenate(values)
