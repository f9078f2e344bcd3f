"""Cluster and fine-tune (CFT): clusters of an unlabelled domain become its identities.

Shapes: M images of the target's training split, P parts, D dims.

One round: the trained model embeds the target's training images, their distances are clustered,
noise is dropped, and the clusters are the identities on which the model is trained further, with
new classifiers and with the part segmentation loss of the same images. How it is trained, first the
new classifiers alone, then everything, is said by ``train.stages`` of the recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from reidkit.data.crops import CropDataset
from reidkit.data.loader import make_loader
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.registry import DATASETS
from reidkit.structures import Embedding
from reidkit.utils.io import atomic_write, sha256_file
from reidkit.utils.progress import track


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
        >>> clusters = cluster(np.block([[close, far], [far, close]]), share=0.3)
        >>> clusters.labels.tolist(), clusters.count
        ([0, 0, 0, 0, 1, 1, 1, 1], 2)
    """
    from sklearn.cluster import DBSCAN  # slow to import, needed here only

    eps = choose_eps(distances, share)
    model = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed")
    clusters = Clusters(model.fit(distances).labels_.astype(np.int64), eps)
    if clusters.count < 2:
        raise UserError(
            f"cluster and fine-tune: {clusters.count} cluster(s) among {len(distances)} images at "
            f"eps={eps:.6g}; a larger share of pairs (now {share:g}) gives a larger radius, or "
            "train the starting model longer"
        )
    return clusters


def pseudo_split(split: Split, clusters: Clusters) -> Split:
    """The clustered images of a split, with the clusters as identities; noise is dropped.

    Raises:
        ValueError: as many labels as images are needed.
    """
    if len(split) != len(clusters.labels):
        raise ValueError(f"{len(clusters.labels)} cluster labels for {len(split)} images")
    return replace(split.select(clusters.kept), identities=clusters.labels[clusters.kept])


@DATASETS.register_module()
class ClusteredDomain:
    """The training images of one domain of a finished run, with clusters as identities.

    ``prepare`` embeds and clusters them with that run's model and keeps the result in the run's
    folder; it is made again when the checkpoint or an option changes. The only split is "train".

    Args:
        data_root: folder of all data sets, as in the run.
        run: folder of the finished run.
        domain: which of its domains; the identities that domain may have are not looked at.
        share: share of the pairs of images that sets the radius, see ``choose_eps``.
        min_samples: see ``cluster``.

    Raises:
        UserError: ``run`` is not a run folder, or too few clusters are found.

    Source:
        EANet, arXiv 1812.11369, supplement.
    """

    name = "clusters"

    def __init__(
        self,
        data_root: str,
        run: str,
        domain: str = "target",
        share: float = 8e-4,
        min_samples: int = 4,
    ):
        self.data_root, self.run, self.domain = data_root, Path(run), domain
        self.share, self.min_samples = share, min_samples
        self._splits: dict[str, Split] = {}

    def prepare(self) -> None:
        """Embed, cluster and keep the result, unless that is done."""
        self.splits()

    def splits(self) -> dict[str, Split]:
        """``{"train": the clustered images}``."""
        if not self._splits:
            from reidkit.engine.run import Run  # the engine imports the data layer

            run = Run.open(self.run, [f"settings.data_root={self.data_root}"])
            split = run.domains.split(self.domain, "train")
            self._splits = {"train": pseudo_split(split, self._clusters(run, split))}
        return self._splits

    def _clusters(self, run, split: Split) -> Clusters:
        file = self.run / f"clusters-{self.domain}.npz"
        made_of = (
            f"{sha256_file(self.run / 'checkpoints/last.pth')} {split.fingerprint()} "
            f"{self.share!r} {self.min_samples}"
        )
        if file.is_file():
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["made_of"]) == made_of:
                    return Clusters(kept["labels"], float(kept["eps"]))
        embedding = Embedding.cat(list(_embed(run, split)))
        distances = self_distances(embedding, run.model.matcher)
        clusters = cluster(distances, self.share, self.min_samples)
        with atomic_write(file) as out:
            np.savez(out, labels=clusters.labels, eps=clusters.eps, made_of=made_of)
        print(
            f"{split.dataset}/{split.name}: {clusters.count} clusters of {len(clusters.kept)} of "
            f"{len(split)} images (eps {clusters.eps:.4f})"
        )
        return clusters


def _embed(run, split: Split, batch_size: int = 64) -> Iterator[Embedding]:
    """In this process alone: the first one prepares, the others wait for it."""
    names = run.domains.plan.test
    # training will want part maps too: one label store serves both
    labels = run.domains.labels(split, [*names, "part_map"] if names else [])
    dataset = CropDataset(split, tuple(run.cfg.input.size), run.cfg.input.resize, labels=labels)
    loader = make_loader(dataset, batch_size=batch_size, workers=run.cfg.settings.workers)
    for batch in track(loader, len(loader), f"embedding {split.dataset}/{split.name}"):
        yield run.model.embed(batch).cpu()
