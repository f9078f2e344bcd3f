"""Embeddings in the plane: t-SNE of some people's images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.evaluation.matchers.base import flat_vectors

PEOPLE, IMAGES = 24, 480


@dataclass(frozen=True)
class EmbeddingMap:
    """Images as points; what is near in the plane is near in the embedding, distances apart from
    that mean little.

    Attributes:
        points: (M, 2) in [0, 1].
        people: (M,) number of the person among those shown, from 0.
        names: of the people.
        cameras: (M,).
        queries: (M,) whether the image is a query.
        total: people that the test has.
    """

    points: NDArray[np.float64]
    people: NDArray[np.int64]
    names: list[str]
    cameras: NDArray[np.int64]
    queries: NDArray[np.bool_]
    total: int


def embedding_map(
    query: LabelledEmbeddings, gallery: LabelledEmbeddings, seed: int = 0
) -> EmbeddingMap | None:
    """At most 480 images of at most 24 people drawn at random, by scikit-learn's t-SNE.

    Parts are brought to length 1 and joined; maps are averaged over their cells. Distances are
    those of the cosine.

    Args:
        query, gallery: raw embeddings.
        seed: of the choice and of t-SNE.

    Returns:
        None of fewer than 10 images.

    Source:
        van der Maaten and Hinton, Visualizing Data using t-SNE (JMLR 2008).
    """
    from sklearn.decomposition import PCA  # heavy
    from sklearn.manifold import TSNE

    sides = [(query, True), (gallery, False)]
    identities = np.concatenate([side.labels.identities for side, _ in sides])
    queries = np.concatenate([np.full(len(side), kind) for side, kind in sides])
    everyone = np.unique(query.labels.identities[query.labels.identities > 0])
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(everyone)[:PEOPLE])
    rows = np.flatnonzero(np.isin(identities, chosen))
    rows = np.sort(rng.permutation(rows)[:IMAGES])
    if len(rows) < 10:
        return None
    first = rows[rows < len(query)], rows[rows >= len(query)] - len(query)
    vectors = np.concatenate(
        [
            flat_vectors(side.embedding[torch.from_numpy(r)])
            for (side, _), r in zip(sides, first, strict=True)
        ]
    )
    reduced = PCA(min(50, *vectors.shape), random_state=seed).fit_transform(vectors)
    plane = TSNE(
        perplexity=min(20, (len(rows) - 1) / 3), init="pca", random_state=seed, max_iter=500
    ).fit_transform(reduced.astype(np.float32))
    plane -= plane.min(0)
    plane /= np.maximum(plane.max(0), 1e-9)
    cameras = np.concatenate([side.labels.cameras for side, _ in sides])[rows]
    numbers = np.searchsorted(chosen, identities[rows])
    names = [query.labels.person(int(np.argmax(query.labels.identities == one))) for one in chosen]
    return EmbeddingMap(
        plane.astype(np.float64), numbers, names, cameras, queries[rows], len(everyone)
    )
