"""What a protocol does to the two sides before anything is ranked, and over which trials.

Shape letters: N images of a query's person and camera, P parts, D dims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidkit.data.identities import DISTRACTOR
from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation.labelled import LabelledEmbeddings, Labels
from reidkit.evaluation.matchers.base import unit_parts
from reidkit.evaluation.protocols import Protocol
from reidkit.structures import Embedding

POOLS = ("mean", "max")


def apply_protocol(
    protocol: Protocol,
    query: LabelledEmbeddings,
    gallery: LabelledEmbeddings,
    multi_query: LabelledEmbeddings | None = None,
    pool: str = "mean",
) -> tuple[LabelledEmbeddings, LabelledEmbeddings]:
    """The sides as the protocol ranks them.

    Args:
        protocol: its ``gallery`` and ``multi_query`` rules are applied.
        query: as the data set lists it.
        gallery: as the data set lists it.
        multi_query: further images of the queries' people, for the multi-query protocol.
        pool: "mean" or "max", see `pool_queries`.

    Raises:
        UserError: file names or multi-query images that the protocol needs are missing.
    """
    if protocol.multi_query:
        if multi_query is None:
            raise UserError(
                f"protocol {protocol.name} pools further images of each query's person, and this "
                "data set brings none (no split 'multi_query'); use protocol market, or a data set "
                "with gt_bbox"
            )
        query = pool_queries(query, multi_query, pool)
    if protocol.gallery != "given":
        gallery = _regard_queries(protocol, query, gallery)
    return query, gallery


def _regard_queries(
    protocol: Protocol, query: LabelledEmbeddings, gallery: LabelledEmbeddings
) -> LabelledEmbeddings:
    """The gallery with all queries in it, or with none."""
    if query.labels.paths is None or gallery.labels.paths is None:
        raise UserError(
            f"protocol {protocol.name} must know which gallery images are queries, by their file "
            "names: give paths, or use protocol market on the gallery as it is"
        )
    inside, asked = set(gallery.labels.paths), set(query.labels.paths)
    if protocol.gallery == "without-queries":
        rows = [i for i, path in enumerate(gallery.labels.paths) if path not in asked]
        if not rows:
            raise UserError(f"protocol {protocol.name}: every gallery image is a query")
        return gallery[rows]
    lacking = query[[i for i, path in enumerate(query.labels.paths) if path not in inside]]
    if not len(lacking):
        return gallery
    device = next(iter(gallery.embedding._tensors().values())).device
    joined = Embedding.cat([gallery.embedding, lacking.embedding.to(device)])
    return replace(gallery, embedding=joined, labels=Labels.join(gallery.labels, lacking.labels))


def pool_queries(
    query: LabelledEmbeddings, images: LabelledEmbeddings, pool: str = "mean"
) -> LabelledEmbeddings:
    """Each query's embedding replaced by the pooled ones of all images of its person and camera.

    Every part vector is brought to length 1 before pooling, and the pooled vector is left as it
    comes (cosine distance does not care). Parts weigh by their visibility in the mean; a pooled
    part is as visible as in the image that shows it best. Maps are pooled cell by cell.

    Args:
        query: whose labels stay.
        images: of the queries' people (``gt_bbox`` of Market-1501), the queries among them or not.
        pool: "mean" or "max" over the images.

    Raises:
        UserError: a query without an image of its person and camera.
        ValueError: unknown ``pool``.

    Source:
        Zheng et al., Market-1501 (ICCV 2015), multiple queries by average and max pooling.

    Example:
        >>> turned = torch.tensor([[[2.0, 0.0]], [[0.0, 5.0]], [[1.0, 0.0]]])
        >>> labels = Labels([7, 7, 7], [1, 1, 2])
        >>> images = LabelledEmbeddings(Embedding(turned), labels, "multi_query")
        >>> query = LabelledEmbeddings(Embedding(turned[:1]), Labels([7], [1]))
        >>> pool_queries(query, images).embedding.vectors
        tensor([[[0.5000, 0.5000]]])
    """
    if pool not in POOLS:
        raise ValueError(f"pool must be one of {POOLS}, got {pool!r}")
    groups: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(images.labels.identities, images.labels.cameras, strict=True)):
        groups.setdefault((int(key[0]), int(key[1])), []).append(row)
    wanted = [
        (int(i), int(c)) for i, c in zip(query.labels.identities, query.labels.cameras, strict=True)
    ]
    missing = [row for row, key in enumerate(wanted) if key not in groups]
    if missing:
        identity, camera = query.labels.person(missing[0]), wanted[missing[0]][1]
        raise UserError(
            f"multi-query: {len(missing)} of {len(query)} queries have no image of their person "
            f"and camera among the {len(images)} of {images.name}; first: "
            f"{query.labels.file(missing[0])} (identity {identity}, camera {camera})"
        )
    pooled = {key: _pooled(images.embedding[groups[key]], pool) for key in dict.fromkeys(wanted)}
    return replace(query, embedding=Embedding.cat([pooled[key] for key in wanted]))


def _pooled(images: Embedding, pool: str) -> Embedding:
    vectors, maps = images.vectors, images.maps
    seen = images.visibility
    if vectors is not None:
        vectors = unit_parts(vectors)
        if pool == "max":
            vectors = vectors.amax(0, keepdim=True)
        elif seen is None:
            vectors = vectors.mean(0, keepdim=True)
        else:
            weight = torch.where(seen.sum(0) > 0, seen, torch.ones_like(seen))[..., None].float()
            vectors = (vectors * weight).sum(0, keepdim=True) / weight.sum(0, keepdim=True)
    if maps is not None:
        maps = _over_images(maps, pool)
    return Embedding(vectors, None if seen is None else seen.amax(0, keepdim=True), maps)


def _over_images(values: Tensor, pool: str) -> Tensor:
    return values.amax(0, keepdim=True) if pool == "max" else values.mean(0, keepdim=True)


def random_halves(query: Labels, gallery: Labels, count: int = 10, seed: int = 0) -> list[Trial]:
    """Trials that each test on a random half of the people seen on both sides.

    The other half is what a method trained for that trial would have seen. Distractors and people
    of the gallery alone take part in every trial. The halves depend on identities, not on files.

    Args:
        query: labels of all queries.
        gallery: labels of the whole gallery.
        count: number of trials.
        seed: of the halves.

    Raises:
        UserError: fewer than two people are seen on both sides.

    Source:
        VIPeR, PRID2011, iLIDS-VID: ten random halves, mean CMC.

    Example:
        >>> people = Labels(range(1, 5), [0] * 4)
        >>> [trial.query.tolist() for trial in random_halves(people, people, 3)]
        [[0, 2], [0, 3], [1, 2]]
    """
    both = np.intersect1d(query.identities, gallery.identities)
    both = both[both > DISTRACTOR]
    if len(both) < 2:
        raise UserError(
            f"random halves need at least two people seen on both sides, found {len(both)}"
        )
    trials = []
    for number in range(count):
        turned = np.random.default_rng([seed, number]).permutation(both)
        left_out = turned[len(both) // 2 :]
        trials.append(
            Trial(
                np.flatnonzero(np.isin(query.identities, turned[: len(both) // 2])),
                np.flatnonzero(~np.isin(gallery.identities, left_out)),
            )
        )
    return trials


def check_trials(trials: Sequence[Trial], n_query: int, n_gallery: int) -> None:
    """Refuse trials whose rows do not exist.

    Raises:
        ValueError: a row outside its side, or an empty trial.
    """
    for number, trial in enumerate(trials):
        sides: tuple[tuple[str, NDArray, int], ...] = (
            ("query", trial.query, n_query),
            ("gallery", trial.gallery, n_gallery),
        )
        for name, rows, size in sides:
            if not len(rows) or rows.min() < 0 or rows.max() >= size:
                raise ValueError(
                    f"trial {number}: {name} rows must be some of the {size}, got {len(rows)}"
                    + (f" from {rows.min()} to {rows.max()}" if len(rows) else "")
                )
