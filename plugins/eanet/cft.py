"""Cluster and fine-tune (CFT): clusters of an unlabelled domain become its identities.

Shapes: M images of the target's training split, P parts, D dims.

One round: embed the target with the trained model, ``cluster`` it, keep ``pseudo_split``, build the
model with as many identities as there are clusters and ``start_from`` the trained one, then train
in two ``PHASES``, with the part segmentation loss of the same images throughout. New is only what
the head's ``classifier_parameters`` gives: embeddings and segmentation head count as old here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.evaluation.matchers import Matcher
from reidkit.structures import Embedding


@dataclass(frozen=True)
class Clusters:
    """What clustering found.

    Attributes:
        labels: (M,) int64, the cluster 0..K-1 of each image, -1 for noise.
        eps: the neighbourhood radius that was used, in units of the distance.
    """

    labels: np.ndarray
    eps: float

    @property
    def count(self) -> int:
        """Number of clusters K."""
        return int(self.labels.max(initial=-1)) + 1

    @property
    def kept(self) -> np.ndarray:
        """Indices of the images that are in a cluster, ascending."""
        return np.flatnonzero(self.labels >= 0)


@dataclass(frozen=True)
class Phase:
    """One phase of fine-tuning, at constant learning rates.

    Attributes:
        name: for logs.
        epochs: length.
        classifier_lr: learning rate of the new classifiers.
        old_lr: that of everything else; 0 freezes it, batch norm statistics included.
    """

    name: str
    epochs: int
    classifier_lr: float
    old_lr: float


PHASES = (
    Phase("classifiers", epochs=6, classifier_lr=0.002, old_lr=0.0),
    Phase("all", epochs=5, classifier_lr=0.002, old_lr=0.001),
)


@torch.no_grad()
def self_distances(embedding: Embedding, matcher: nn.Module, block: int = 1024) -> np.ndarray:
    """Distance of every image, as query, to every image of the same set, as gallery.

    Args:
        embedding: of M images.
        matcher: whose distance; it need not be symmetric.
        block: number of queries at a time.

    Shape:
        returns (M, M) float32: 1 GiB for 16,384 images.
    """
    prepared = isinstance(matcher, Matcher)
    query = matcher.prepare(embedding, "query") if prepared else embedding
    gallery = matcher.prepare(embedding, "gallery") if prepared else embedding
    compare = matcher.compare if prepared else matcher
    distances = np.empty((len(embedding), len(embedding)), np.float32)
    for start in range(0, len(embedding), block):
        rows = slice(start, start + block)
        distances[rows] = compare(query[rows], gallery).cpu().numpy()
    return distances


def choose_eps(distances: np.ndarray, share: float = 8e-4) -> float:
    """Mean of the smallest non-zero distances above the diagonal.

    Args:
        distances: (M, M); only pairs (i, j) with i < j are looked at.
        share: share of those pairs to average; rounded, at least one pair.

    Raises:
        ValueError: no such pair is different from zero.

    Source:
        EANet, arXiv 1812.11369, supplement; the choice of eps is that of arXiv 1807.11334.
        Departure: at least one pair, for sets below 36 images.

    Example:
        >>> choose_eps(np.array([[0., 3, 1], [9, 0, 2], [9, 9, 0]]), share=2 / 3)
        1.5
    """
    upper = np.concatenate([row[i + 1 :] for i, row in enumerate(distances)])
    upper = upper[upper != 0]
    if not len(upper):
        raise ValueError("choose_eps: no pair of images has a distance other than zero")
    count = max(1, round(share * len(upper)))
    upper.partition(count - 1)
    return float(upper[:count].mean(dtype=np.float64))


def cluster(distances: np.ndarray, share: float = 8e-4, min_samples: int = 4) -> Clusters:
    """DBSCAN on precomputed distances with the radius of ``choose_eps``.

    Args:
        distances: (M, M), row to column; the diagonal counts as any other distance.
        share: see ``choose_eps``.
        min_samples: images within the radius, itself included, that make an image a core of a
            cluster.

    Raises:
        UserError: fewer than two clusters, from which no identity can be learned.

    Source:
        EANet, arXiv 1812.11369, supplement.

    Example:
        >>> close, far = np.full((4, 4), 0.1), np.full((4, 4), 5.0)
        >>> found = cluster(np.block([[close, far], [far, close]]), share=0.3)
        >>> found.labels.tolist(), found.count
        ([0, 0, 0, 0, 1, 1, 1, 1], 2)
    """
    from sklearn.cluster import DBSCAN  # slow to import, needed here only

    eps = choose_eps(distances, share)
    model = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed")
    found = Clusters(model.fit(distances).labels_.astype(np.int64), eps)
    if found.count < 2:
        raise UserError(
            f"cluster and fine-tune: {found.count} cluster(s) among {len(distances)} images at "
            f"eps={eps:.6g}; a larger share of pairs (now {share:g}) gives a larger radius, or "
            "train the starting model longer"
        )
    return found


def pseudo_split(split: Split, clusters: Clusters) -> Split:
    """The clustered images of a split, with the clusters as identities; noise is dropped.

    Raises:
        ValueError: as many labels as images are needed.
    """
    if len(split) != len(clusters.labels):
        raise ValueError(f"{len(clusters.labels)} cluster labels for {len(split)} images")
    return replace(split.select(clusters.kept), identities=clusters.labels[clusters.kept])


def start_from(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load everything but the identity classifiers, which stay new whatever their size.

    Args:
        model: has ``head`` with ``classifier_parameters()``.
        state: state dict of the model before.

    Raises:
        UserError: entries that are missing, unknown or of another shape.

    Source:
        Departure from the released code, which keeps an old classifier whose size happens to fit.
    """
    fresh = _names(model, model.head.classifier_parameters())
    kept = {name: value for name, value in state.items() if name not in fresh}
    own = model.state_dict()
    wrong = sorted(
        [name for name in own if name not in fresh and name not in kept]
        + [name for name in kept if name not in own or kept[name].shape != own[name].shape]
    )
    if wrong:
        raise UserError(
            f"the checkpoint does not fit this model in {len(wrong)} entries (first: "
            f"{', '.join(wrong[:3])}); fine-tune with the head and backbone it was trained with"
        )
    model.load_state_dict(kept, strict=False)


def parameter_groups(model: nn.Module, phase: Phase) -> list[dict]:
    """Optimiser groups of a phase: new classifiers, and all else unless it is frozen.

    Also sets ``requires_grad`` of all parameters accordingly.

    Args:
        model: has ``head`` with ``classifier_parameters()``.
        phase: one of ``PHASES``.
    """
    new = list(model.head.classifier_parameters())
    old = _without(model.parameters(), new)
    for parameter in old:
        parameter.requires_grad_(phase.old_lr > 0)
    groups = [dict(params=new, lr=phase.classifier_lr)]
    return groups + [dict(params=old, lr=phase.old_lr)] if phase.old_lr > 0 else groups


def train_mode(model: nn.Module, phase: Phase) -> None:
    """``model.train()``, with frozen batch norm statistics where the phase freezes what is old.

    Heads stay in training mode, so they still give logits; nothing else here differs between the
    modes. Call it wherever the engine would call ``model.train()``.
    """
    model.train()
    if phase.old_lr > 0:
        return
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _names(model: nn.Module, parameters: Iterable[nn.Parameter]) -> set[str]:
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, parameter in model.named_parameters() if id(parameter) in wanted}


def _without(
    parameters: Iterable[nn.Parameter], left_out: list[nn.Parameter]
) -> list[nn.Parameter]:
    unwanted = {id(parameter) for parameter in left_out}
    return [parameter for parameter in parameters if id(parameter) not in unwanted]
