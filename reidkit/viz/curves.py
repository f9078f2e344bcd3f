"""Numbers over iterations as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.utils.io import atomic_write

COLOURS = ("#222222", "#2a6fbb", "#d1582a", "#2f9150", "#8a4fbf", "#b8860b", "#c2407d", "#4c8c94")


def curve(
    path: str | Path,
    scalars: Mapping[str, ArrayLike],
    title: str = "Training loss",
    xlabel: str = "",
) -> None:
    """Draw named series: every value faintly, their running mean as a line, the last one named.

    The axis is logarithmic when all values are positive and their range is above 30.

    Args:
        path: of the PNG file.
        scalars: name -> one value per iteration; NaN leaves a gap. "loss" comes first, in black.
        title: of the picture.
        xlabel: name of the horizontal axis; "iteration" by default.

    Raises:
        ValueError: no series, or one that is not one-dimensional or is empty.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "loss.png"
        >>> curve(target, {"loss": [3.0, 2.0, 1.5, 1.4]})
        >>> target.read_bytes()[1:4]
        b'PNG'
    """
    from matplotlib.figure import Figure

    series = _checked(scalars)
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        steps = np.arange(1, len(values) + 1)
        smooth = running_mean(values, max(1, len(values) // 50))
        marker = "o" if len(values) == 1 else None
        axes.plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
        label = f"{name}  {smooth[-1]:.4g}"
        axes.plot(steps, smooth, color=colour, linewidth=1.8, marker=marker, label=label)
    finite = np.concatenate([v[np.isfinite(v)] for v in series.values()])
    if len(finite) and finite.min() > 0 and finite.max() / finite.min() > 30:
        axes.set_yscale("log")
    axes.set(title=title, xlabel=xlabel or "iteration", ylabel="value")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="running mean, last value", frameon=False)
    _save(figure, path)


def panels(
    path: str | Path,
    iterations: Sequence[float],
    groups: Mapping[str, Mapping[str, ArrayLike]],
) -> None:
    """Draw series that were measured at the same iterations, a panel for each kind of number.

    Args:
        path: of the PNG file.
        iterations: at which was measured.
        groups: title -> name -> a value per measurement; or (runs, measurements), of which the mean
            is drawn and the range shaded. NaN leaves a gap.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "quality.png"
        >>> panels(target, [100, 200], {"FID": {"composites": [80.0, 40.0]}})
        >>> target.exists()
        True
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(groups), 5), dpi=120, layout="constrained")
    for axes, (title, series) in zip(
        figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True
    ):
        for colour, (name, values) in zip(COLOURS, series.items(), strict=False):
            runs = np.atleast_2d(np.asarray(values, np.float64))
            mean, marker = runs.mean(axis=0), "o" if len(iterations) <= 20 else None
            label = f"{name}  {mean[-1]:.4g}"
            axes.plot(iterations, mean, color=colour, linewidth=1.8, marker=marker, label=label)
            if len(runs) > 1:
                low, high = runs.min(axis=0), runs.max(axis=0)
                axes.fill_between(iterations, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set(title=title, xlabel="iteration")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        beneath = dict(loc="upper center", bbox_to_anchor=(0.5, -0.14))  # a line may be anywhere
        axes.legend(title="last value", frameon=False, **beneath)
    _save(figure, path)


def _save(figure: Any, path: str | Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    memory = io.BytesIO()
    FigureCanvasAgg(figure).print_png(memory)
    with atomic_write(path) as file:
        file.write(memory.getvalue())


def running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mean of the last ``width`` values that are numbers, at every place.

    Example:
        >>> running_mean(np.array([1.0, 3.0, np.nan, 5.0]), 2)
        array([1., 2., 3., 5.])
    """
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0.0))
    count = np.cumsum(known)
    for sums in (total, count):
        sums[width:] = sums[width:] - sums[:-width].copy()
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _checked(scalars: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    if not scalars:
        raise ValueError("curve needs at least one series")
    names = sorted(scalars, key=lambda name: name != "loss")  # stable: the rest as given
    series = {name: np.asarray(scalars[name], np.float64) for name in names}
    for name, values in series.items():
        if values.ndim != 1 or not len(values):
            raise ValueError(f"curve: {name} must be one value per iteration, got {values.shape}")
    return series
