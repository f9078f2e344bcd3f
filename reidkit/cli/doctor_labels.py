"""``reidkit doctor labels``: images of a test set whose label looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidkit.data.corrections import Correction, write_corrections
from reidkit.engine.run import Run
from reidkit.engine.stores import features
from reidkit.errors import UserError
from reidkit.evaluation.label_errors import Suspect, label_errors
from reidkit.structures import Embedding
from reidkit.utils.io import ensure_writable

SHOWN = 30


def suspects(run: Run, test: str, share: float) -> list[tuple[str, str, Suspect]]:
    """Split, file and what is suspected of each image, the likeliest first.

    Args:
        run: its model embeds the images.
        test: domain whose query and gallery are looked at.
        share: of the images that may be listed.

    Raises:
        UserError: no such domain; images that are not those of the features.
    """
    store = features(run, test)
    sides = {name: store.sides[name] for name in ("query", "gallery")}
    splits = {name: run.domains.split(test, name) for name in sides}
    prints = store.meta.get("fingerprints", {})
    if any(split.fingerprint() != prints.get(name) for name, split in splits.items()):
        raise UserError(f"{test}: the images at hand are others than those of the features")
    places = [(name, path) for name, split in splits.items() for path in split.paths]
    listed = label_errors(
        Embedding.cat([side.embedding for side in sides.values()]),
        np.concatenate([split.identities for split in splits.values()]),
        np.concatenate([split.cameras for split in splits.values()]),
        share,
    )
    return [(*places[one.row], one) for one in listed]


def examine_labels(
    folder: str, overrides: Sequence[str], test: str | None, share: float, out: Path | None
) -> int:
    """Print the suspects of a run's test set, and write them as corrections to look through.

    Args:
        folder: of the run.
        overrides: of its config, such as ``settings.data_root=...``.
        test: domain; None: the run's first test.
        share: of the images that may be listed, in (0, 1].
        out: CSV to write; None for none.
    """
    if not 0 < share <= 1:
        raise UserError(f"--share must be above 0 and at most 1, got {share}")
    if out is not None:
        ensure_writable(out)
    run = Run.open(folder, overrides)
    tests = list(run.cfg.data.tests)
    if not tests and test is None:
        raise UserError(f"{folder}: has no tests; name a domain with --test")
    listed = suspects(run, test or tests[0], share)
    for split, file, one in listed[:SHOWN]:
        print(f"{one.score:.3f}  {split}/{file}: identity {one.identity}, looks like {one.other}")
    if len(listed) > SHOWN:
        print(f"and {len(listed) - SHOWN} more")
    print(f"{len(listed)} images to look at, the likeliest first: reidkit browse {folder}")
    if out is not None:
        rows = [Correction(one.identity, one.other, split, file) for split, file, one in listed]
        write_corrections(out, rows)
        print(f"written: {out}; keep the rows that are right, as corrections.csv in the data set")
    return 0
