"""A feature store: embeddings and labels of a test on disk, memory-mapped when read.

```
store/                  meta.json: data set, protocol, matcher, where the features come from,
                        checksums of all files, which are compared when a store is opened
  query/ gallery/       vectors.npy, visibility.npy, maps.npy (those the model gives),
  [multi_query/]        identities.npy, cameras.npy, [times.npy], [paths.json]
  [trials.npz]          rows of each trial
```

So that re-ranking, other protocols and other matchers need no second extraction.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.data.split import Trial
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.structures import Embedding
from reidkit.utils.checksums import checksums, content_digest, verify
from reidkit.utils.io import atomic_folder

FORMAT = 2
_ADVICE = "extract again"
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
            meta["files"] = checksums(new)
            meta["checksum"] = content_digest(meta)
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
        (folder / "paths.json").write_text(json.dumps(list(map(str, side.labels.paths))))


def read_store(folder: str | Path) -> TestSet:
    """Open a store: its checksums are compared, then its arrays memory-mapped.

    Comparing reads every byte once (``reidkit.utils.checksums.verify``); nothing is kept in
    memory.

    Args:
        folder: of ``write_store``.

    Raises:
        UserError: no store, an unknown format, or one that is damaged.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    verify(folder, meta["files"], _ADVICE)
    try:
        sides = {name: _read_side(folder, name, meta["files"]) for name in meta["sides"]}
        return TestSet(sides, meta["protocol"], _read_trials(folder, meta["trials"]), meta)
    except (OSError, zipfile.BadZipFile, *WRONG_CONTENT) as error:
        raise UserError(f"{folder}: damaged ({error}); {_ADVICE}") from None


def read_meta(folder: Path) -> dict[str, Any]:
    """The description of a store, as it was written.

    Raises:
        UserError: none there, unreadable, of another format, changed, or with sides that are no
            names.
    """
    file = folder / "meta.json"
    if not file.is_file():
        raise UserError(
            f"{folder}: no feature store, it has no meta.json; tools/extract.py makes one"
        )
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
        known = meta.get("format")
    except (OSError, *WRONG_CONTENT):
        raise UserError(f"{file}: not readable as JSON; {_ADVICE}") from None
    if known != FORMAT:
        raise UserError(
            f"{folder}: a store of format {known}, this version reads {FORMAT}; {_ADVICE}"
        )
    if meta.get("checksum") != content_digest(meta):
        raise UserError(f"{file}: damaged, it differs from its checksum; {_ADVICE}")
    lists = all(_texts(meta.get(key)) for key in ("sides", "trials"))
    if not (lists and isinstance(meta.get("protocol"), str) and isinstance(meta["files"], dict)):
        raise UserError(f"{file}: expected sides, trials, protocol and files; {_ADVICE}")
    for side in meta["sides"]:
        if not re.fullmatch(r"\w+", side):
            raise UserError(f"{file}: {side!r} cannot name a side of a test: it may be a path")
    return meta


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _read_trials(folder: Path, names: Sequence[str]) -> list[Trial]:
    if not names:
        return []
    with np.load(folder / "trials.npz") as rows:
        return [
            Trial(rows[f"query_{i}"], rows[f"gallery_{i}"], name) for i, name in enumerate(names)
        ]


def _read_side(folder: Path, name: str, files: Mapping[str, str]) -> LabelledEmbeddings:
    """One side from those of its files that have a checksum."""
    tensors = {
        kind: torch.from_numpy(np.load(folder / file, mmap_mode="c"))
        for kind in TENSORS
        if (file := f"{name}/{kind}.npy") in files
    }
    labels: dict[str, Any] = {
        kind: np.load(folder / file)
        for kind in ("identities", "cameras", "times")
        if (file := f"{name}/{kind}.npy") in files
    }
    if (file := f"{name}/paths.json") in files:
        labels["paths"] = json.loads((folder / file).read_text())
    return LabelledEmbeddings(Embedding(**tensors), Labels(**labels), name)
