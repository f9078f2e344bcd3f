"""The pictures every run leaves: ranked lists, part labels, the loss curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub

from reidkit.data.clips import ClipDataset
from reidkit.data.crops import STORED, CropDataset
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit
from reidkit.engine.domains import Domains
from reidkit.engine.evaluate import TestRun
from reidkit.structures import ReIDBatch
from reidkit.viz import curve, match_sheet, part_sheet, rank_sheet


def draw_pictures(
    folder: Path, cfg: ConfigDict, model, domains: Domains, tests: list[TestRun]
) -> None:
    """Write the pictures of the tests, ``parts_<domain>.png`` with labels, and ``loss.png``."""
    draw_tests(folder, cfg, model, domains, tests)
    for domain, names in domains.plan.train.items():
        if set(names) & set(STORED):
            _parts(folder / f"parts_{domain}.png", cfg, model, domains, domain)
    scalars = MessageHub.get_current_instance().log_scalars
    losses = {
        name.removeprefix("train/").removeprefix("loss_"): buffer.data[0]
        for name, buffer in scalars.items()
        if name.startswith("train/loss")
    }
    if losses:
        curve(folder / "loss.png", losses)


def draw_tests(
    folder: Path, cfg: ConfigDict, model, domains: Domains, tests: list[TestRun]
) -> None:
    """Write the ranked lists of some queries of every test, ``ranks_<domain>.png``.

    A head with ``visualize`` adds ``head_<domain>.png``, of some queries.
    A matcher that knows local matches gives ``matches_<domain>.png``.

    Args:
        folder: where they are written.
        cfg: the resolved config.
        model: has a ``matcher``.
        domains: of the run.
        tests: of ``evaluate``.
    """
    for run in tests:
        rank_sheet(
            folder / f"ranks_{run.domain}.png",
            run.query,
            run.gallery,
            run.query_embedding,
            run.gallery_embedding,
            model.matcher,
            seed=cfg.settings.seed,
            protocol=cfg.evaluation.get("protocol") or domains.reader(run.domain).protocol,
        )
        if hasattr(getattr(model, "head", None), "visualize"):
            model.head.visualize(
                folder / f"head_{run.domain}.png", model, query_batch(cfg, domains, run.query)
            )
        if hasattr(model.matcher, "correspondences"):
            draw_matches(folder / f"matches_{run.domain}.png", cfg, model, domains, run)


def draw_matches(
    path: Path,
    cfg: ConfigDict,
    model,
    domains: Domains,
    run: TestRun,
    queries: int = 4,
    lines: int = 14,
    seed: int | None = None,
) -> None:
    """Local matches of a few queries of one test set, by a matcher with ``correspondences``."""
    match_sheet(
        path,
        run.query,
        run.gallery,
        run.query_embedding,
        run.gallery_embedding,
        model.matcher,
        queries,
        lines,
        cfg.settings.seed if seed is None else seed,
        cfg.evaluation.get("protocol") or domains.reader(run.domain).protocol,
    )


def _parts(
    path: Path, cfg: ConfigDict, model, domains: Domains, domain: str, count: int = 12
) -> None:
    """Crops of a training split as the model gets them, with joints, part map and region masks."""
    dataset = domains.train_dataset(domain)
    if isinstance(dataset, ClipDataset):
        dataset = dataset.frames
    rows = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int).tolist()
    batch = dataset.__getitems__(rows)
    prepared = model.data_preprocessor.one(batch)
    part_sheet(
        path,
        batch.images.permute(0, 2, 3, 1).numpy(),
        scaled(batch) if "keypoints" in batch else None,
        batch["part_map"].numpy() if "part_map" in batch else None,
        prepared["masks"].cpu().numpy() if "masks" in prepared else None,
    )


def query_batch(cfg: ConfigDict, domains: Domains, split: Split, count: int = 4) -> ReIDBatch:
    """A few images of a split as loaded for the test; the first clip of each tracklet.

    Args:
        cfg: the resolved config.
        domains: gives labels and the frame sampler.
        split: of a test set.
        count: images, spread over the split.
    """
    rows = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int).tolist()
    labels = domains.test_labels(split)
    options: dict = dict(size=tuple(cfg.input.size), resize=cfg.input.resize, labels=labels)
    frames = domains.frame_sampler("test")
    if not isinstance(split, TrackletSplit) or frames is None:
        return CropDataset(split, **options).__getitems__(rows)
    clips = [frames(int(split.lengths[row]), None)[0] for row in rows]
    shortest = min(map(len, clips))
    clips = [clip[np.linspace(0, len(clip) - 1, shortest).astype(int)] for clip in clips]
    dataset = ClipDataset(split, **options)
    return dataset.__getitems__(list(zip(rows, clips, strict=True)))


def scaled(batch) -> np.ndarray:
    """Keypoints of a batch in pixels of the resized images.

    Shape:
        returns (N, 17, 3) float64.
    """
    height, width = batch.images.shape[-2:]
    points = batch["keypoints"].clone()
    stored = batch["image_sizes"].to(points.dtype)
    points[..., 0] *= width / stored[:, 1, None]
    points[..., 1] *= height / stored[:, 0, None]
    return points.numpy()
