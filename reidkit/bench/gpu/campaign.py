"""The stages one after the other, each in a process with a time limit, and the page of their rows.

Results are kept in a JSON file after every stage. Started again, stages that ended well on the same
code, card and size are not measured again.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from reidkit.bench.gpu.measurement import Measurement
from reidkit.plugin.extend import extensions
from reidkit.utils.commit import commit
from reidkit.utils.io import atomic_write

ROOT = Path(__file__).resolve().parents[3]
POINT = "gpu_stages"
# name -> (function, seconds at most)
CORE = {
    "labels": ("reidkit.bench.gpu.stages.labels", 240),
    "evaluation": ("reidkit.bench.gpu.stages.evaluation", 180),
    "loading": ("reidkit.bench.gpu.stages.loading", 120),
    "tests": ("reidkit.bench.gpu.stages.tests", 240),
    "compiled": ("reidkit.bench.gpu.stages.compiled", 240),
}
PLUGIN_LIMIT = 300  # seconds
PACKAGES = ("torch", "torchvision", "mmengine", "mmpose", "triton", "numpy")


def stage_names() -> list[str]:
    """The core's stages and those that plugins declare, in the order in which they are run."""
    return [*CORE, *extensions(POINT)]


def stage_function(name: str) -> Callable[[bool], list[Measurement]]:
    """The function of a stage; a plugin's is loaded with its plugin."""
    if name not in CORE:
        return extensions(POINT)[name].load()
    module, _, function = CORE[name][0].rpartition(".")
    return getattr(importlib.import_module(module), function)


def run(
    names: Sequence[str],
    results: Path,
    minutes: float,
    tiny: bool,
    again: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run stages, keep what they gave, and return all that is kept.

    Args:
        names: of the stages.
        results: JSON file that is read before and written after every stage.
        minutes: no stage is begun after them, and none goes on.
        tiny: sizes at which everything only shows that it runs.
        again: measure also what is kept.
        say: takes a line at a time.
    """
    here = machine() | {"size": "tiny" if tiny else "full"}
    kept = _read(results)
    if kept.get("machine") != here:
        kept = {"machine": here, "stages": {}}
    end = time.monotonic() + 60 * minutes
    for name in names:
        if not again and kept["stages"].get(name, {}).get("rows"):
            say(f"{name}: measured before")
            continue
        left = end - time.monotonic()
        if left <= 0:
            say(f"{name}: no time is left; run the command again")
            continue
        stage = _stage(name, min(left, CORE[name][1] if name in CORE else PLUGIN_LIMIT), tiny)
        kept["stages"][name] = stage
        say(f"{name}: {stage['seconds']:.0f} s" + (f", {stage['error']}" if stage["error"] else ""))
        for row in stage["rows"]:
            say("  " + line(Measurement(**row)))
        with atomic_write(results, "w") as file:
            json.dump(kept, file, indent=1)
    return kept


def _stage(name: str, limit: float, tiny: bool) -> dict[str, Any]:
    """Rows, seconds and error of one stage."""
    began, error, rows = time.monotonic(), "", []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.json")
        command = [sys.executable, "-m", "reidkit.bench.gpu", name, str(file)]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        try:
            done = subprocess.run(
                [*command, "tiny"] if tiny else command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                timeout=limit,
                capture_output=True,
                text=True,
            )
            if done.returncode or not file.is_file():
                error = " / ".join(done.stderr.strip().splitlines()[-3:]) or "gave nothing"
            else:
                rows = json.loads(file.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired:
            error = f"ended by its limit of {limit:.0f} s"
    return {"rows": rows, "seconds": time.monotonic() - began, "error": error}


def machine() -> dict[str, str]:
    """Card, processor, versions and code that numbers are of."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    found = {name: _version(name) for name in PACKAGES}
    driver = torch.version.cuda or "none"
    return {
        "card": card,
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "cuda": driver,
        "code": commit(),
        **found,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _read(results: Path) -> dict[str, Any]:
    try:
        kept = json.loads(results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and isinstance(kept.get("stages"), dict) else {}


def line(row: Measurement) -> str:
    """A row for the terminal.

    Example:
        >>> line(Measurement("ranking", 0.02, "s", 0.03, most=True))
        'ranking: 0.02 s (≤ 0.03: yes)'
    """
    limit = f" ({row.limit}: {row.verdict})" if row.verdict else ""
    note = f"  [{row.note}]" if row.note else ""
    return f"{row.what}: {number(row.value)} {row.unit}{limit}{note}"


def number(value: float) -> str:
    """Three significant digits, thousands separated.

    Example:
        >>> number(12345.6), number(0.012345)
        ('12,346', '0.0123')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def page(kept: Mapping[str, Any]) -> str:
    """The results as a page in Markdown; what has not been measured is said."""
    about = ", ".join(f"{key} {value}" for key, value in kept["machine"].items())
    if not kept["stages"]:
        about = "nothing has been measured yet, for want of a card"
    lines = [
        "# On a GPU",
        "",
        f"Made by `make gpu`: {about}.",
        "",
        "| what | value | wanted | reached | |",
        "|---|---|---|---|---|",
    ]
    for name in stage_names():
        stage = kept["stages"].get(name, {"rows": [], "error": "not measured"})
        for row in map(lambda values: Measurement(**values), stage["rows"]):
            value = f"{number(row.value)} {row.unit}"
            lines.append(f"| {row.what} | {value} | {row.limit} | {row.verdict} | {row.note} |")
        if not stage["rows"]:
            error = stage["error"].replace("|", "/")
            lines.append(f"| stage `{name}` | | | | {error} |")
    return "\n".join([*lines, ""])
