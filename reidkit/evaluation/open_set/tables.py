"""The table of distances that thresholds come from, made of embeddings of known people.

Shape letters: M images, n probes, P people, V numbers of enrolled images.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from reidkit.evaluation.open_set.known import OpenSet
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.structures import Embedding

PROBES = 1000


@torch.inference_mode()
def open_set(
    embedding: Embedding,
    identities: ArrayLike,
    cameras: ArrayLike,
    matcher: nn.Module,
    seen: bool = False,
    seed: int = 0,
    model: str = "",
) -> OpenSet | None:
    """Distances of known people, for thresholds and probabilities.

    Probes are compared with images of other cameras, as `calibrate` does; of data from one camera,
    with all but themselves. At most 1,000 images are probes.

    Args:
        embedding: M raw embeddings.
        identities: people from 1; others take no part.
        cameras: of every image.
        matcher: a `Matcher`.
        seen: the model was trained on these people.
        seed: of what is drawn.
        model: fingerprint of the model.

    Shape:
        identities and cameras (M,) integer.

    Returns:
        None where there are not two people, or none who is seen twice.
    """
    people, places = np.asarray(identities), np.asarray(cameras)
    rows = np.flatnonzero(people > 0)
    if not len(rows):
        return None
    names, column = np.unique(people[rows], return_inverse=True)
    across = len(np.unique(places[rows])) > 1
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))  # in which a person's images are enrolled
    rows, column = rows[order], column[order]
    probes = np.arange(min(PROBES, len(rows)))
    most = np.bincount(column).min() - (0 if across else 1)
    if across:
        spread = np.unique(np.stack([column, places[rows]]), axis=1)[0]
        if (np.bincount(spread) < 2).all():
            return None
        most = np.median(np.bincount(column) - np.bincount(column) / np.bincount(spread))
    images = 2 ** np.arange(1 + int(np.log2(max(1, most))))
    table = np.full((len(images), len(probes), len(names)), np.inf, np.float32)
    chosen = embedding[torch.from_numpy(rows)]
    asked = chosen[torch.from_numpy(probes)]
    for part, values in blocks(asked, chosen, matcher, 64, distances=True):
        block = values.cpu().numpy()
        for probe in range(part.start, part.stop):
            if across:
                usable = places[rows] != places[rows[probe]]
            else:
                usable = np.arange(len(rows)) != probe
            _nearest_people(block[probe - part.start], column, usable, images, table[:, probe])
    owner = column[probes]
    found = np.isfinite(table[0][probes, owner])
    if len(names) < 2 or not found.any():
        return None
    return OpenSet(table, owner.astype(np.int64), images.astype(np.int64), seen, across, model)


def _nearest_people(
    row: NDArray, column: NDArray, usable: NDArray, images: NDArray, out: NDArray
) -> None:
    """Distance (V, P) to the nearest of each person's first usable images."""
    kept = np.flatnonzero(usable)
    kept = kept[np.argsort(column[kept], kind="stable")]
    groups, starts, counts = np.unique(column[kept], return_index=True, return_counts=True)
    turn = np.arange(len(kept)) - np.repeat(starts, counts)
    for table, number in zip(out, images, strict=True):
        some = turn < number
        np.minimum.at(table, np.repeat(groups, counts)[some], row[kept[some]])
