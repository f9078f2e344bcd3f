"""The calibration of a run: fitted on training people after training, stored, found again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from numpy.typing import ArrayLike, NDArray

from reidkit.data.clips import ClipDataset
from reidkit.data.crops import CropDataset
from reidkit.data.datasets.held_out import HeldOutIdentities
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit
from reidkit.engine.domains import Domains
from reidkit.engine.extract import embed_rows
from reidkit.engine.fingerprint import model_fingerprint
from reidkit.engine.folder import write_json
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.evaluation.calibration import Calibration, calibrate
from reidkit.evaluation.open_set import FILE as OPEN_SET
from reidkit.evaluation.open_set import OpenSet, open_set, threshold_table
from reidkit.structures import Embedding

FILE = "calibration.json"
HELD_OUT = "gallery"  # the split of a `HeldOutIdentities` reader that holds people not trained on
IMAGES = 2000  # of whole people: thousands of pairs of either kind


def calibrate_and_store(folder: Path, cfg: Config, model: Any, domains: Domains) -> str:
    """Give a trained model's matcher its calibration, and store all that a run calibrates.

    Args:
        folder: of the run.
        cfg, model, domains: see ``calibrate_run``.

    Returns:
        Thresholds of people who were held out, for people to read; "" where there are none.
    """
    model.matcher.calibration = calibrate_run(cfg, model, domains)
    held = held_out_domain(model, domains)
    known = calibrate_open_set(cfg, model, domains, held, HELD_OUT) if held else None
    if is_main_process():
        if model.matcher.calibration is not None:
            store_calibration(folder, cfg, model.matcher.calibration)
        if known is not None:
            known.save(folder / OPEN_SET)
    return threshold_table(known) if known is not None else ""


def calibrate_run(cfg: Config, model: Any, domains: Domains) -> Calibration | None:
    """The calibration of a trained model's matcher, on people of its first training domain.

    The people were trained on, so strangers are as far apart as these only as far as the model
    generalises: the probabilities are for steps that weigh distances, such as re-ranking, and not
    error rates. All processes get the same one.

    Args:
        cfg: the resolved config.
        model: has ``embed``, ``matcher`` and ``domains``.
        domains: gives the training split and its labels.
    """
    split = domains.split(model.domains[0], "train")
    embedding, people, cameras = _people(cfg, model, domains, model.domains[0], split)
    return calibrate(embedding, people, cameras, model.matcher, cfg.settings.seed)


def _people(
    cfg: Config, model: Any, domains: Domains, domain: str, split: Split
) -> tuple[Embedding, NDArray[np.int64], NDArray[np.int64]]:
    """Embeddings, identities and cameras of some people of a split."""
    options: dict[str, Any] = dict(
        size=tuple(cfg.input.size),
        resize=cfg.input.resize,
        labels=domains.test_labels(split),
        domain=domain,
    )
    if isinstance(split, TrackletSplit):
        frames = domains.frame_sampler("train")  # of one length, so that batches are full
        dataset: Any = ClipDataset(split, **options, sampler=frames)
    else:
        dataset = CropDataset(split, **options)
    rows = rows_of_people(split.identities, IMAGES, cfg.settings.seed)
    batch = 8 if isinstance(split, TrackletSplit) else 64
    embedding = embed_rows(model, dataset, rows, batch, cfg.settings.workers, "calibrating")
    return embedding, split.identities[rows], split.cameras[rows]


def calibrate_open_set(
    cfg: Config, model: Any, domains: Domains, domain: str, name: str = "train"
) -> OpenSet | None:
    """What thresholds of a search come from, on people of one split.

    Args:
        cfg: the resolved config.
        model: trained; has ``embed`` and ``matcher``.
        domains: gives the split and its labels.
        domain: of the config.
        name: of the split; its people are taken for seen where it is what the model was trained on.

    Returns:
        None where nobody is there twice.
    """
    split = domains.split(domain, name)
    embedding, people, cameras = _people(cfg, model, domains, domain, split)
    seen = name == "train" and domain in model.domains
    origin, seed = model_fingerprint(cfg, model), cfg.settings.seed
    return open_set(embedding, people, cameras, model.matcher, seen, seed, origin)


def held_out_domain(model: Any, domains: Domains) -> str | None:
    """The first training domain, where it holds people out of training (``data=<set>_val``)."""
    first = model.domains[0]
    held = isinstance(domains.reader(first), HeldOutIdentities)
    return first if held else None


def read_open_set(folder: Path, fingerprint: str) -> OpenSet | None:
    """The open set that a run stored; None where it has none of this model.

    Raises:
        UserError: a file that holds something else.
    """
    file = folder / OPEN_SET
    known = OpenSet.read(file) if file.is_file() else None
    return known if known is not None and known.model == fingerprint else None


def rows_of_people(identities: ArrayLike, limit: int, seed: int = 0) -> NDArray[np.int64]:
    """All images of people drawn at random, until there are enough.

    Args:
        identities: (M,) people from 1; others are passed over.
        limit: number of images after which no further person is taken; at least two people are.
        seed: of the drawing.

    Example:
        >>> rows_of_people([1, 1, 2, -1, 3, 3], limit=6).tolist()
        [0, 1, 2, 4, 5]
        >>> len(rows_of_people([1, 1, 2, 2, 3, 3], limit=3))
        4
    """
    ids = np.asarray(identities)
    people, counts = np.unique(ids[ids > 0], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(people))
    enough = np.searchsorted(np.cumsum(counts[order]), limit) + 1
    return np.flatnonzero(np.isin(ids, people[order[: max(2, enough)]]))


def store_calibration(folder: Path, cfg: Config, calibration: Calibration) -> None:
    """Write the calibration of the run's own matcher into its folder."""
    write_json(folder / FILE, dict(matcher=cfg.model.matcher.to_dict(), **asdict(calibration)))


def read_calibration(folder: Path, cfg: Config) -> Calibration | None:
    """The calibration that a run stored; None where it has none of the config's matcher.

    Raises:
        UserError: a file that holds something else.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_bytes())
        matcher = content.pop("matcher")
        calibration = Calibration.of(content)
    except WRONG_CONTENT as error:
        raise UserError(
            f"{file}: not the calibration of a run ({error}); without this file, steps that need "
            "one say so"
        ) from None
    return calibration if matcher == json.loads(json.dumps(cfg.model.matcher.to_dict())) else None
