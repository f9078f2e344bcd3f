"""Ours, by what a person would call, one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidkit.evaluation import (
    CosineMatcher,
    KReciprocal,
    Labels,
    PrecomputedMatcher,
    RowIds,
    match_labels,
    score,
)
from reidkit.evaluation.protocols import PROTOCOLS
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.structures import Embedding, ImageMeta

MARKET = PROTOCOLS["market"]


def _labels(given: Any) -> tuple[Labels, Labels]:
    q, g, q_cameras, g_cameras = given.labels
    return Labels(q, q_cameras), Labels(g, g_cameras)


def _embeddings(given: Any) -> tuple[Embedding, Embedding]:
    query, gallery = (torch.from_numpy(x)[:, None] for x in (given.query, given.gallery))
    return Embedding(query), Embedding(gallery)


def ranking(given: Any) -> Callable:
    """Features to metrics; distances are never kept."""
    pair = _embeddings(given)

    def work() -> float:
        truth = match_labels(MARKET, *_labels(given))
        ranks = rank_positives(*pair, truth, CosineMatcher())
        return float(score(ranks, truth, MARKET, "CosineMatcher").metrics["mAP"])

    return work


def reranking(given: Any) -> Callable:
    """Features to re-ranked distances, block by block as ranking takes them."""
    pair, metas = _embeddings(given), (ImageMeta(None), ImageMeta(None))
    row_ids = RowIds.arange(len(given.query)), RowIds.arange(len(given.gallery))

    def mean_precision(matcher: Any) -> float:
        truth = match_labels(MARKET, *_labels(given))
        table = np.concatenate(
            [values.numpy().copy() for _, values in blocks(*row_ids, matcher, 64)]
        )
        ranks = rank_positives(*row_ids, truth, PrecomputedMatcher(table))
        return float(score(ranks, truth, MARKET, "KReciprocal").metrics["mAP"])

    def work() -> Callable:
        matcher = KReciprocal().rerank(*pair, CosineMatcher(), *metas)[2]
        for _ in blocks(*row_ids, matcher, 64):
            pass
        return lambda: mean_precision(matcher)

    return torch.inference_mode()(work)


def _extraction(given: Any, name: str, network: str) -> Callable:
    from reidkit.engine.extractor import Extractor

    extractor = Extractor(name, weights=given.folder / f"{network}.pth")

    def work() -> list:
        vectors = extractor(given.files, batch_size=64).vectors
        assert vectors is not None
        return vectors[:4, 0].tolist()

    return work


def extraction_osnet(given: Any) -> Callable:
    """Files to embeddings of OSNet x0.25."""
    return _extraction(given, "osnet_x0_25", "osnet")


def extraction_resnet(given: Any) -> Callable:
    """Files to embeddings of ResNet-50."""
    return _extraction(given, "torchvision/resnet50", "resnet")


def keypoints(given: Any) -> Callable:
    """Files to joints of RTMPose, decoding in this process."""
    from reidkit.data.decode import decode_rgb, read_bytes
    from reidkit.pose.labeller import TopdownLabeller

    labeller = TopdownLabeller("rtmpose-s", str(given.folder / "pose.pth"))
    files = given.files[:64]

    def work() -> list:
        crops = [decode_rgb(read_bytes(file), file) for file in files]
        return labeller.label(crops)[:4, :, :2].tolist()

    return work


def _training(given: Any, backbone: str, head: str) -> Callable:
    from mmengine.hooks import Hook

    from reidkit.config import prepare_config
    from reidkit.engine.run import Run
    from reidkit.registry import HOOKS

    go, done = threading.Semaphore(0), threading.Semaphore(0)

    @HOOKS.register_module()
    class Turns(Hook):
        """Trains an epoch for each word."""

        priority = "VERY_LOW"

        def before_train_epoch(self, runner: Any) -> None:
            go.acquire()

        def after_train_epoch(self, runner: Any) -> None:
            done.release()

    cfg = prepare_config(
        given.folder / "training.py",
        [f"model.backbone={backbone}", f"model.head={head}", "+hooks.turns=Turns"],
    )
    run = Run.start(cfg, Path(given.folder, f"run-{head}"), launcher="none")
    run.prepare()
    threading.Thread(target=run.train, daemon=True).start()

    def work() -> None:
        go.release()
        done.acquire()

    return work


def training_osnet(given: Any) -> Callable:
    """An epoch of OSNet x0.25."""
    return _training(given, "torchreid/osnet_x0_25", "FCHead")


def training_resnet(given: Any) -> Callable:
    """An epoch of ResNet-50."""
    return _training(given, "torchvision/resnet50", "BNNeckHead")
