"""What the models of a plan's rows log in training, as a picture beside its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.engine.products.reproduce import Plan, run_name
from reidkit.errors import UserError
from reidkit.report.scalars import Curve, training_curves
from reidkit.viz.curves import panels


def draw_curves(path: Path, plan: Plan, folder: Path) -> None:
    """Draw the ``curves`` of a plan, a panel per value and a line per row: mean and range of seeds.

    A run of several stages counts from the first stage that logs the value. Nothing is drawn, and
    an earlier picture stays, where the folder has no finished run of a row.

    Args:
        path: of the PNG file.
        plan: names ``rows`` and ``logs``.
        folder: of its runs.

    Raises:
        UserError: a row that the plan does not have, or rows that log at other iterations.
    """
    groups: dict[str, dict[str, NDArray]] = {name: {} for name in plan.curves.get("logs", [])}
    steps: dict[str, NDArray] = {}
    for row in plan.curves.get("rows", []):
        if row not in plan.runs:
            raise UserError(f"curves: no row named {row!r}; rows: {', '.join(plan.runs)}")
        runs = [folder / run_name(row, seed) for seed in plan.seeds_of(row)]
        runs = [run for run in runs if (run / "metrics.json").exists()]
        for name, group in groups.items():
            curves = [_joined(training_curves(run, [name])) for run in runs]
            if not curves:
                return
            first = steps.setdefault("", curves[0][0])
            if any(not np.array_equal(at, first) for at, _ in curves):
                raise UserError(f"curves: {row} logs {name} at other iterations than the first row")
            group[row] = np.stack([values for _, values in curves])
    if steps:
        panels(path, steps[""].tolist(), groups)


def _joined(stages: dict[str, Curve]) -> Curve:
    """One curve of the stages of a run that log a value, the run's own folder last."""
    steps, values, before = [np.zeros(0)], [np.zeros(0)], 0.0
    for name in sorted(stages, key=lambda name: (": " not in name, name)):
        at, logged = stages[name]
        steps.append(at + before)
        values.append(logged)
        before = float(steps[-1][-1])
    return np.concatenate(steps), np.concatenate(values)
