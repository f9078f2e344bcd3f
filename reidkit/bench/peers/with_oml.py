"""open-metric-learning: neighbours in batches of queries, then its metrics, one thread."""

from collections.abc import Callable
from typing import Any

import torch


def ranking(given: Any) -> Callable:
    """All images of the gallery sorted for every query, as mAP needs, and mAP of the whole list.

    Its rule of sequences leaves out images of the query's identity and camera.
    """
    from oml.functional.knn import batched_knn_qg
    from oml.functional.metrics import calc_retrieval_metrics

    q, g, q_cameras, g_cameras = (torch.from_numpy(x) for x in given.labels)

    def work() -> float:
        _, ids, right = batched_knn_qg(
            torch.from_numpy(given.query), torch.from_numpy(given.gallery), len(g), q, g,
            sequence_ids_query=q * 64 + q_cameras, sequence_ids_gallery=g * 64 + g_cameras,
        )  # fmt: skip
        some = [i for i, images in enumerate(right) if len(images)]
        found = calc_retrieval_metrics(
            [ids[i] for i in some], [right[i] for i in some],
            cmc_top_k=(1, 5, 10), precision_top_k=(), map_top_k=(len(g),), verbose=False,
        )  # fmt: skip
        return float(found["map"][len(g)])

    return work
