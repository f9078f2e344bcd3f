"""The run folder: its name, and what lies in it."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.io import atomic_write
from reidkit.utils.locks import hold, let_go
from reidkit.utils.trouble import disk_error

CHECKPOINT = Path("checkpoints/last.pth")
WEIGHTS = "weights.txt"  # which layers of starting weights went where


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


class Claim:
    """A run folder that is one process's own until it is released or the process ends.

    Args:
        path: the folder; it exists.

    Raises:
        BlockingIOError: another process has it.
    """

    def __init__(self, path: Path):
        self.path = path
        handle = hold(path)
        if handle is None:
            raise BlockingIOError(f"{path} is another process's")
        self._close = weakref.finalize(self, let_go, handle)

    def release(self) -> None:
        """Give the folder back; one in which nothing was written is removed."""
        with suppress(OSError):  # it holds something, as it should
            self.path.rmdir()
        self._close()


def claim_new(parent: Path, name: str) -> Claim:
    """The next folder of a name, made and held; who comes second gets the one after it.

    Args:
        parent: where run folders lie; made if missing.
        name: of the run, as ``run_name`` makes it.

    Raises:
        UserError: the parent is a file, or the disk is full or closed.
    """
    while True:
        folder = new_folder(parent, name)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            return Claim(folder)
        except (FileExistsError, BlockingIOError) as error:  # somebody was faster
            if not parent.is_dir():
                raise UserError(f"{parent}: is a file; choose another settings.work_dir") from error
        except OSError as error:
            raise disk_error(error, folder) from error


def claim(folder: Path, resume: bool = False) -> Claim:
    """Hold a folder for a run, made if missing.

    Args:
        folder: a new place, an empty folder, or with ``resume`` one that holds a run.
        resume: whether the run in it is to be continued.

    Raises:
        UserError: another process trains there; it holds a run, finished or not, and no
            ``resume``; it is no folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = Claim(folder)
    except BlockingIOError:
        raise UserError(
            f"{folder}: another process is training there; wait for it, or choose another "
            "--work-dir"
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder}: is a file; choose a folder as --work-dir") from None
    except OSError as error:
        raise disk_error(error, folder) from error
    if not resume and (folder / "metrics.json").exists():
        raise UserError(f"{folder}: holds a finished run; choose another --work-dir")
    if not resume and begun(folder):
        raise UserError(
            f"{folder}: holds an unfinished run; continue it with --resume, or choose another "
            "--work-dir"
        )
    return held


def claim_together(
    folder: str | Path | Callable[[], Claim], resume: bool = False
) -> tuple[str, Claim | None]:
    """The folder that the first of several processes claims, for all of them, and its claim.

    Args:
        folder: a run folder, or what claims one.
        resume: see ``claim``.

    Raises:
        UserError: in every process, where the first one may not have it.
    """
    from mmengine.dist import broadcast_object_list, is_main_process

    held = None
    agreed: list[str | UserError] = [""]
    if is_main_process():
        try:
            held = folder() if callable(folder) else claim(Path(folder), resume)
            agreed = [str(held.path)]
        except UserError as error:  # all processes end with it
            agreed = [error]
    broadcast_object_list(agreed)
    if isinstance(agreed[0], UserError):
        raise agreed[0]
    return agreed[0], held


def begun(folder: Path) -> bool:
    """Whether a run has written anything: its config comes first."""
    return (folder / "config.py").exists() or (folder / CHECKPOINT).exists()


def write_json(path: Path, content: dict) -> None:
    """Write JSON whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
