"""Turn by turn, ours and each installed peer on the same inputs; ratios of one repetition each.

``make peers`` makes the interpreter that peers run with; ``REIDKIT_BENCH_PYTHON`` names another.
``REIDKIT_BENCH_TASKS`` chooses ("ranking,keypoints"), ``REIDKIT_BENCH_REPEATS`` says how often
(default 5), ``REIDKIT_BENCH_WEIGHTS`` names torchreid's file of OSNet x0.25 (default: random).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from reidkit.bench.peers import inputs
from reidkit.bench.table import Row
from reidkit.errors import UserError

HERE = Path(__file__).parent
OURS = "reidkit"
INSTALLED = HERE.parents[2] / ".peers" / "bin" / "python"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One thing that ours and peers do.

    Args:
        title: as the table has it.
        peers: who do it, by the names of their modules.
        write: makes the folder that all read.
        images: done in one repetition, for a rate; None: seconds.
        memory: compare that, too.
        same: how far results may lie apart, and how they are compared; None: not the same numbers.
    """

    title: str
    peers: tuple[str, ...]
    write: Callable[[Path], None]
    images: int | None = None
    memory: bool = False
    same: Mapping[str, float] | None = None


def tasks(tiny: bool = False, weights: str | None = None) -> dict[str, Task]:
    """All of them by name; the name without what follows a hyphen is that of the modules' function.

    Args:
        tiny: sizes that take seconds.
        weights: see ``inputs.write_images``.
    """
    few: dict[str, Any] = dict(n_query=40, n_gallery=200, dims=32, people=20, distractors=20)
    quarter = dict(n_query=842, n_gallery=3978, people=188, distractors=700)
    eighth = dict(n_query=421, n_gallery=1989, people=94, distractors=350)
    crops, batch = (8, 8) if tiny else (64, 16)
    market, middle, small = (few, few, few) if tiny else ({}, quarter, eighth)
    images = partial(inputs.write_images, count=crops, weights=weights)
    training = partial(inputs.write_training, steps=2, batch=batch)
    exact = dict(torchreid=1e-5, boxmot=1e-5, reid=1e-5, oml=1e-5)
    alike = dict(boxmot=0.02, reid=0.02)
    scale = "" if tiny else ", Market-1501's size"
    return {
        "ranking": Task(
            f"features -> metrics{scale}", ("torchreid", "boxmot", "reid", "faiss"),
            partial(inputs.write_features, sizes=market), memory=True, same=exact,
        ),
        "ranking-quarter": Task(
            "features -> metrics, a quarter of its images", ("oml",),
            partial(inputs.write_features, sizes=middle), memory=True, same=exact,
        ),
        "reranking": Task(
            f"k-reciprocal{scale}", ("torchreid",),
            partial(inputs.write_features, sizes=market), memory=True, same=dict(torchreid=1e-4),
        ),
        "reranking-quarter": Task(
            "k-reciprocal, a quarter of its images", ("torchreid",),
            partial(inputs.write_features, sizes=middle), memory=True, same=dict(torchreid=1e-4),
        ),
        "reranking-eighth": Task(
            "k-reciprocal, an eighth of its images", ("boxmot",),
            partial(inputs.write_features, sizes=small), memory=True,
        ),
        "extraction_osnet": Task(
            "files -> embeddings, OSNet x0.25, fp32", ("boxmot", "reid"), images, crops, same=alike
        ),
        "extraction_resnet": Task(
            "files -> embeddings, ResNet-50, fp32", ("boxmot", "reid"), images, crops, same=alike
        ),
        "keypoints": Task(
            f"files -> joints, {inputs.POSE}, fp32", ("rtmlib",),
            partial(inputs.write_pose, count=min(crops, 64)), min(crops, 64),
        ),
        "training_osnet": Task(
            "training, OSNet x0.25, fp32", ("boxmot",), training, 2 * batch
        ),
        "training_resnet": Task(
            "training, ResNet-50, fp32", ("boxmot",), training, 2 * batch
        ),
    }  # fmt: skip


def run(tiny: bool = False) -> list[Row]:
    """Measure the chosen tasks; prints what repetitions varied by and what was not to be had.

    Args:
        tiny: sizes that take seconds.

    Raises:
        UserError: a task that is not there.
        RuntimeError: a peer that ends, or whose numbers are others than ours.
    """
    known = tasks(tiny, os.environ.get("REIDKIT_BENCH_WEIGHTS"))
    chosen = os.environ.get("REIDKIT_BENCH_TASKS")
    names = chosen.split(",") if chosen else list(known)
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"REIDKIT_BENCH_TASKS={unknown[0]}: no such task; try {', '.join(known)}")
    repeats = int(os.environ.get("REIDKIT_BENCH_REPEATS", "5"))
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "inputs")
            known[name].write(folder)
            rows += compare(name.partition("-")[0], known[name], folder, repeats)
    return rows


def compare(function: str, task: Task, folder: Path, repeats: int) -> list[Row]:
    """Rows of one task: every peer in turn with ours, after one unmeasured repetition of each.

    Args:
        function: of the peers' modules.
        task: what is compared.
        folder: that ``task.write`` filled.
        repeats: repetitions that count.
    """
    rows = []
    for peer in task.peers:
        with Served(peer, function, folder) as theirs:
            if theirs.missing is not None:
                print(f"{task.title}: {peer} is left out: {theirs.missing}")
                continue
            with Served(OURS, function, folder) as ours:
                turns = [(theirs.ask(), ours.ask()) for _ in range(repeats + 1)]
        _check(task, peer, *turns[-1])
        rows += _rows(task, peer, turns[1:])
    return rows


def _rows(task: Task, peer: str, turns: list[tuple[dict, dict]]) -> list[Row]:
    """Medians of the repetitions, with the smallest and largest ratio of one."""
    cpu = np.array([[one["cpu"], own["cpu"]] for one, own in turns])
    ratios = cpu[:, 0] / cpu[:, 1]
    wall = np.median([one["wall"] / own["wall"] for one, own in turns])
    spread = f"{ratios.min():.2f}x to {ratios.max():.2f}x, by wall clock {wall:.2f}x"
    print(f"{task.title}: {peer}: {len(turns)} repetitions, {spread}", flush=True)
    base, value = np.median(cpu, axis=0)
    if task.images is None:
        rows = [Row(task.title, peer, base, value, "CPU s", higher_is_better=False)]
    else:
        images = task.images
        rows = [Row(task.title, peer, images / base, images / value, "images/CPU s")]
    if task.memory:
        one, own = (max(turn["mb"] for turn in side) for side in zip(*turns, strict=True))
        rows.append(Row(f"{task.title}, memory", peer, one, own, "MB", higher_is_better=False))
    return rows


def _check(task: Task, peer: str, theirs: dict, ours: dict) -> None:
    """Refuse ratios of different work: mAP, or the direction of the first embeddings."""
    limit = (task.same or {}).get(peer)
    one, own = theirs["result"], ours["result"]
    if one is None or own is None:
        return
    one, own = np.asarray(one), np.asarray(own)
    if one.ndim == 2:
        one, own = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, own))
        gap = float(1 - (one * own).sum(1).min())
        text = f"cosine of the embeddings at least {1 - gap:.4f}"
    elif one.ndim == 3:
        gap = float(np.median(np.linalg.norm(one - own, axis=-1)))
        text = f"joints lie {gap:.2f} pixels apart (median)"
    else:
        gap, text = float(abs(one - own)), f"mAP {one:.7f}, ours {own:.7f}"
    print(f"{task.title}: {peer}: {text}")
    if limit is not None and not gap <= limit:
        raise RuntimeError(f"{task.title}: {peer} does other work than ours: {text}")


class Served:
    """A process that does one task as one package does it.

    Args:
        peer: whose module.
        function: of it.
        folder: of the inputs.

    Attributes:
        missing: why it cannot, or None.
    """

    def __init__(self, peer: str, function: str, folder: Path):
        self.peer, self.folder = peer, folder
        python: str | Path = sys.executable
        if peer != OURS:
            python = os.environ.get("REIDKIT_BENCH_PYTHON", INSTALLED)
        self.log: IO = (folder / f"{peer}.txt").open("w+")
        self.missing: str | None = None
        self.process: Any = None
        if not Path(python).is_file():
            self.missing = "no environment of peers; make peers makes it"
            return
        self.process = subprocess.Popen(
            [str(python), str(HERE / "serve.py"), peer, function, str(folder)],
            env=os.environ | dict.fromkeys(THREADS, "1"), cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip
        self.missing = self._read().get("missing")

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.log.close()

    def ask(self) -> dict[str, Any]:
        """One repetition: CPU seconds "cpu", "wall", megabytes "mb", "result"."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.peer} ended:\n{self.log.read()[-3000:]}")
        return json.loads(line)
