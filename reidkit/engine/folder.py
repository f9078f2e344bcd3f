"""The run folder: its name, what lies in it, and which one ``--resume`` means."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.io import atomic_write

CHECKPOINT = Path("checkpoints/last.pth")


def run_name(config: str, data: str, recipe: str, seed: int) -> str:
    """The folder's name from what makes the run: method, data, recipe, seed.

    Example:
        >>> run_name("configs/eanet/pap_st_ps.py", "synthped", "quick", 0)
        'eanet-pap_st_ps-synthped-quick-s0'
    """
    path = Path(config)
    parts = [path.parent.name, path.stem, data, recipe, f"s{seed}"]
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts if part)


def choose_folder(parent: Path, name: str, resume: bool) -> Path:
    """A folder for a new run that overwrites nothing, or the newest unfinished one to resume.

    Raises:
        UserError: ``resume`` and there is no unfinished run of that name.
    """
    used = sorted(parent.glob(f"{name}*"), key=lambda p: (len(p.name), p.name))
    used = [p for p in used if re.fullmatch(re.escape(name) + r"(-\d+)?", p.name)]
    if resume:
        unfinished = [p for p in used if not (p / "metrics.json").exists()]
        started = [p for p in unfinished if (p / CHECKPOINT).exists()] or unfinished
        if not started:
            raise UserError(
                f"--resume: no unfinished run named {name} in {parent}; "
                "leave --resume out to start one, or name its folder with --work-dir"
            )
        return started[-1]
    number = 1 + max(
        [int(m.group(1)) if (m := re.search(r"-(\d+)$", p.name[len(name) :])) else 1 for p in used],
        default=0,
    )
    return parent / (name if number == 1 else f"{name}-{number}")


def write_json(path: Path, content: dict) -> None:
    """Write JSON whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
