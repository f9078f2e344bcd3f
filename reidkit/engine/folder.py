"""The run folder: its name, and what lies in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reidkit.utils.io import atomic_write

CHECKPOINT = Path("checkpoints/last.pth")


def run_name(config: str, data: str, recipe: str, seed: int) -> str:
    """The folder's name from what makes the run: method, data, recipe, seed.

    Example:
        >>> run_name("configs/mypaper/baseline.py", "synthped", "quick", 0)
        'mypaper-baseline-synthped-quick-s0'
    """
    path = Path(config)
    parts = [path.parent.name, path.stem, data, recipe, f"s{seed}"]
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts if part)


def numbered(parent: Path, name: str) -> list[Path]:
    """The folders of all runs of a name (``name``, ``name-2``, ...), the oldest first."""
    used = sorted(parent.glob(f"{name}*"), key=lambda p: (len(p.name), p.name))
    return [p for p in used if re.fullmatch(re.escape(name) + r"(-\d+)?", p.name)]


def new_folder(parent: Path, name: str) -> Path:
    """A folder for a new run that overwrites nothing."""
    ends = [re.search(r"-(\d+)$", p.name[len(name) :]) for p in numbered(parent, name)]
    number = 1 + max((int(end.group(1)) if end else 1 for end in ends), default=0)
    return parent / (name if number == 1 else f"{name}-{number}")


def write_json(path: Path, content: dict) -> None:
    """Write JSON whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
