"""A feature store: embeddings and labels of a test on disk, memory-mapped when read.

```
store/                  meta.json: data set, protocol, matcher, where the features come from
  query/ gallery/       vectors.npy, visibility.npy, maps.npy (those the model gives),
  [multi_query/]        identities.npy, cameras.npy, [times.npy], paths.txt
  [trials.npz]          rows of each trial
```

So that re-ranking, other protocols and other matchers need no second extraction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.structures import Embedding
from reidkit.utils.io import atomic_folder

FORMAT = 1
TENSORS = ("vectors", "visibility", "maps")


@dataclass
class TestSet:
    """Everything a test needs but a matcher.

    Attributes:
        sides: "query", "gallery" and perhaps "multi_query".
        protocol: that the data set states for itself.
        trials: its repetitions; none for one test.
        meta: what else is known: data set, matcher, model.
    """

    __test__ = False  # not a pytest class

    sides: dict[str, LabelledEmbeddings]
    protocol: str = "market"
    trials: Sequence[Trial] = ()
    meta: dict[str, Any] = field(default_factory=dict)


def write_store(folder: str | Path, test: TestSet) -> None:
    """Write a test set; the folder appears whole or not at all.

    Args:
        folder: must not exist yet, or be empty.
        test: with embeddings in any place.

    Raises:
        UserError: the folder holds something already.
    """
    try:
        with atomic_folder(folder) as new:
            for name, side in test.sides.items():
                _write_side(new / name, side)
            if test.trials:
                rows = {
                    f"{name}_{i}": getattr(trial, name)
                    for i, trial in enumerate(test.trials)
                    for name in ("query", "gallery")
                }
                np.savez(new / "trials.npz", **rows)
            meta = dict(
                test.meta,
                format=FORMAT,
                protocol=test.protocol,
                sides=list(test.sides),
                trials=[trial.name for trial in test.trials],
            )
            (new / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    except FileExistsError as error:
        raise UserError(f"{error}; choose another folder for the features") from None


def _write_side(folder: Path, side: LabelledEmbeddings) -> None:
    folder.mkdir()
    for name, tensor in side.embedding._tensors().items():
        np.save(folder / f"{name}.npy", tensor.float().cpu().numpy())
    for name in ("identities", "cameras", "times"):
        values = getattr(side.labels, name)
        if values is not None:
            np.save(folder / f"{name}.npy", values)
    if side.labels.paths is not None:
        (folder / "paths.txt").write_text("\n".join(map(str, side.labels.paths)) + "\n")


def read_store(folder: str | Path) -> TestSet:
    """Open a store; arrays are memory-mapped, so nothing is read yet.

    Raises:
        UserError: no store, an unknown format, or one that is damaged.
    """
    folder = Path(folder)
    if not (folder / "meta.json").is_file():
        raise UserError(
            f"{folder}: no feature store, it has no meta.json; tools/extract.py makes one"
        )
    meta = json.loads((folder / "meta.json").read_text())
    if meta.get("format") != FORMAT:
        raise UserError(
            f"{folder}: a store of format {meta.get('format')}, this version reads {FORMAT}; "
            "extract again"
        )
    sides = {name: _read_side(folder / name, name) for name in meta["sides"]}
    trials = []
    if meta["trials"]:
        with np.load(folder / "trials.npz") as rows:
            trials = [
                Trial(rows[f"query_{i}"], rows[f"gallery_{i}"], name)
                for i, name in enumerate(meta["trials"])
            ]
    return TestSet(sides, meta["protocol"], trials, meta)


def _read_side(folder: Path, name: str) -> LabelledEmbeddings:
    try:
        tensors = {
            kind: torch.from_numpy(np.load(folder / f"{kind}.npy", mmap_mode="c"))
            for kind in TENSORS
            if (folder / f"{kind}.npy").exists()
        }
        labels: Mapping[str, Any] = {
            kind: np.load(folder / f"{kind}.npy")
            for kind in ("identities", "cameras", "times")
            if (folder / f"{kind}.npy").exists()
        }
        paths = folder / "paths.txt"
        listed = paths.read_text().splitlines() if paths.exists() else None
        return LabelledEmbeddings(Embedding(**tensors), Labels(**labels, paths=listed), name)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder}: damaged ({error}); extract again") from None
