"""Feature stores of a run's test sets: embedded where they are missing, known again by origin."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from reidkit.engine.evaluate import build_evaluator, embed_test
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.evaluation.io.store import TestSet, read_meta, read_store, write_store
from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.utils.io import sha256_file

FOLDER = "features"  # of a run folder


def features(run: Run, test: str, folder: Path | None = None) -> TestSet:
    """The features of a test set, extracted and kept if there are none yet.

    Args:
        run: has a model and a folder.
        test: domain that is tested.
        folder: of the stores, one per test; None: ``features`` in the run folder.

    Raises:
        UserError: a store of another origin; data that is missing.
    """
    place, origin = (folder or run.folder / FOLDER) / test, origin_of(run)
    if not is_of_run(place, origin):
        write_store(place, embedded(run, test, dict(run=str(run.folder), origin=origin)))
    return read_store(place)


def embedded(run: Run, test: str, meta: dict[str, Any]) -> TestSet:
    """Embeddings and labels of one test set, each process its share.

    Args:
        run: has a model.
        test: domain that is tested.
        meta: what else the store's description says.

    Raises:
        UserError: data that is missing.
    """
    with torch.no_grad():
        evaluator = build_evaluator(run.cfg)
        sides = embed_test(run.cfg, run.model, run.domains, test, evaluator)
    reader = run.domains.reader(test)
    labelled = {n: LabelledEmbeddings.of(*pair, n) for n, pair in sides.items()}
    meta = dict(
        meta,
        dataset=sides["query"][1].dataset,
        matcher=run.cfg.model.matcher.type,
        fingerprints={name: split.fingerprint() for name, (_, split) in sides.items()},
    )
    return TestSet(labelled, reader.protocol, reader.trials(), meta)


def origin_of(run: Run) -> str:
    """SHA-256 of what embeddings come from: the weights and the parts of the config that count."""
    tree = run.cfg.to_dict()
    parts = {key: tree.get(key) for key in ("plugins", "input", "model", "data", "evaluation")}
    digest = sha256_file(run.weights) if run.weights else ""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256((text + digest).encode()).hexdigest()


def is_of_run(folder: Path, origin: str) -> bool:
    """Whether a folder holds a store of that origin; False where there is none.

    Args:
        folder: of one test set.
        origin: of ``origin_of``.

    Raises:
        UserError: the folder holds something else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    if (folder / "meta.json").exists() and read_meta(folder).get("origin") == origin:
        return True
    raise UserError(
        f"{folder} exists already, of another origin (other weights, config or data); choose "
        "another folder for the features, or remove it"
    )
