"""Training curves of a run: its TensorBoard files, or its text log where it has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidkit.utils.io import read_regular

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # steps, values
MOST_BYTES = 256 << 20  # of a log
POINTS = 400  # of a curve
_EPOCH = re.compile(r"Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]")
_NUMBER = re.compile(r"\b(\w+): ([-+.\deE]+)")


def training_curves(folder: Path, names: Collection[str] | None = None) -> dict[str, Curve]:
    """Values that were logged over iterations, by name; empty where nothing was logged.

    Later stages of a run follow the earlier ones, their names begin with the stage's folder.

    Args:
        folder: the run folder.
        names: of the values ("overlap"); losses, rates and tests by default.
    """
    wanted = _is_usual if names is None else frozenset(names).__contains__
    curves: dict[str, Curve] = {}
    for log in sorted(folder.glob("**/log")):
        place = log.parent.relative_to(folder).as_posix()
        head = "" if place == "." else f"{place}: "
        scalars = _events(log, wanted) or _text(log / "log.log", wanted)
        curves.update({f"{head}{name}": _thinned(curve) for name, curve in scalars.items()})
    return curves


def _events(log: Path, wanted: Callable[[str], bool]) -> dict[str, Curve]:
    """Scalars of the TensorBoard files below a folder; none where there are none or they end."""
    files = sorted(log.glob("**/events.out.tfevents.*"))
    files = [file for file in files if file.is_file() and file.stat().st_size <= MOST_BYTES]
    if not files:
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # heavy
    from tensorboard.util import tensor_util

    values: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        events = EventAccumulator(str(file), size_guidance={"scalars": 0, "tensors": 0})
        try:
            events.Reload()
            for tag in events.Tags()["scalars"]:
                values.setdefault(tag, []).extend((e.step, e.value) for e in events.Scalars(tag))
            for tag in events.Tags()["tensors"]:
                for event in events.Tensors(tag):
                    number = tensor_util.make_ndarray(event.tensor_proto)
                    if number.size == 1:
                        values.setdefault(tag, []).append((event.step, float(number.ravel()[0])))
        except Exception:  # whatever a damaged file raises: what was read before counts
            continue
    named = {tag.removeprefix("train/"): points for tag, points in values.items()}
    return {name: _curve(points) for name, points in named.items() if wanted(name)}


def _is_usual(name: str) -> bool:
    return name.startswith(("loss", "lr", "test/"))


def _text(file: Path, wanted: Callable[[str], bool]) -> dict[str, Curve]:
    """Values of mmengine's text log."""
    try:
        text = read_regular(file, MOST_BYTES).decode(errors="replace")
    except OSError:
        return {}
    values: dict[str, list[tuple[int, float]]] = {}
    for line in text.splitlines():
        place = _EPOCH.search(line)
        if place is None:
            continue
        epoch, step, steps = map(int, place.groups())
        for name, number in _NUMBER.findall(line[place.end() :]):
            if not wanted(name):
                continue
            try:
                values.setdefault(name, []).append(((epoch - 1) * steps + step, float(number)))
            except ValueError:
                continue
    return {name: _curve(points) for name, points in values.items()}


def _curve(points: list[tuple[int, float]]) -> Curve:
    table = np.array(sorted(points), np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _thinned(curve: Curve) -> Curve:
    """Means of equal shares of a long curve, so that it has at most ``POINTS`` points."""
    steps, values = curve
    if len(steps) <= POINTS:
        return curve
    parts = np.array_split(np.arange(len(steps)), POINTS)
    return np.array([steps[p].mean() for p in parts]), np.array([values[p].mean() for p in parts])
