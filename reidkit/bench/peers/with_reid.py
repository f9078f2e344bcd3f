"""Roboflow's reid: its metrics, and its extraction from files, one thread."""

from collections.abc import Callable
from typing import Any

NAMES = {"osnet": "osnet_x0_25", "resnet": "timm:resnet50"}


def ranking(given: Any) -> Callable:
    """Cosine distances of all pairs, then its CMC, mAP and mINP."""
    from reid.eval.metrics import _compute_reid_metrics, distance_matrix

    def work() -> float:
        table = distance_matrix(given.query, given.gallery)
        return _compute_reid_metrics(table, *given.labels).mean_average_precision / 100

    return work


def _extraction(given: Any, network: str) -> Callable:
    from reid import ReIDModel
    from reid.preprocessing import ReIDPreprocessing

    model = ReIDModel.from_pretrained(
        str(given.folder / f"{network}.pth"), architecture=NAMES[network],
        preprocessing=ReIDPreprocessing(input_size=(256, 128)), device="cpu",
    )  # fmt: skip
    return lambda: model.extract_embeddings_from_paths(given.files, batch_size=64)[:4].tolist()


def extraction_osnet(given: Any) -> Callable:
    """Files to embeddings of OSNet x0.25."""
    return _extraction(given, "osnet")


def extraction_resnet(given: Any) -> Callable:
    """Files to embeddings of ResNet-50."""
    return _extraction(given, "resnet")
