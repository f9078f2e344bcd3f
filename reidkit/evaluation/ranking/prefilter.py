"""Nearest neighbours from products in bfloat16, with the proof that they are float32's.

Shape letters: N images, D dims, k neighbours, m candidates of an image, more than k.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reidkit.evaluation.matchers.base import Matcher, tensor_of
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.evaluation.rerank.nearest_lists import NearestLists, Neighbours, smallest, sorted_rows
from reidkit.structures import Embedding
from reidkit.utils.processor import has_bf16_units

CANDIDATES = 20  # candidates beyond the k that are wanted
FARTHEST = 8  # candidates for the farthest image
MIN_IMAGES = 4096  # images; with fewer there is little to save
SAMPLE = 64  # images whose distances tell whether bf16 distances can decide
ROWS = 256  # images that are looked at together


class BF16Cosine:
    """One minus the cosine of N images in bfloat16: half the time, and off by a known bound.

    Args:
        images: N raw embeddings, on the CPU.
        matcher: whose distances in float32 count.

    Attributes:
        error: no bfloat16 distance differs from the matcher's by more; NaN if a vector holds NaN.
        rounding: float32 distances added up in another order hardly ever differ by more.
    """

    def __init__(self, images: Embedding, matcher: CosineMatcher):
        self.images, self.matcher = images, matcher
        self.ready = matcher.prepare(images, "gallery")
        vectors = self.ready.vectors.flatten(1)
        self.units = torch.empty(vectors.shape, dtype=torch.bfloat16)
        taken = torch.empty(len(images))  # how much rounding took from vectors of length 1
        for rows in _parts(len(images)):
            exact = -self.queries(rows).vectors.flatten(1)
            self.units[rows] = exact
            taken[rows] = (exact - self.units[rows]).norm(dim=1)
        # |x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'|, the product is rounded to 8 bits, and both
        # ways add D terms in float32
        lost, eps = float(taken.max()), torch.finfo(torch.float32).eps
        added = 4 * vectors.shape[1] * eps
        self.error = lost * (2 + lost) + (1 + lost) ** 2 * (2**-8 + added)
        self.rounding = vectors.shape[1] ** 0.5 * eps

    def __len__(self) -> int:
        return len(self.images)

    def queries(self, rows: slice | Tensor) -> Prepared:
        """Some of the images as prepared queries."""
        return self.matcher.prepare(self.images[rows], "query")

    def compare(self, rows: slice, columns: slice, out: Tensor | None = None) -> Tensor:
        """Distances (r, c) in bfloat16, as float32, in ``out`` if given."""
        product = torch.mm(-self.units[rows], self.units[columns].T)
        values = product.float() if out is None else out.copy_(product)
        return values.add_(1.0)

    def some(self, rows: slice, index: Tensor, counts: Tensor, fill: float) -> Tensor:
        """Distances (r, m) in float32 of images to their first ``counts`` of index (r, m)."""
        asked = self.queries(rows).vectors.flatten(1).numpy()
        gallery, which = self.ready.vectors.flatten(1).numpy(), index.numpy()
        held = np.empty((index.shape[1], gallery.shape[1]), np.float32)
        products = np.zeros(index.shape, np.float32)
        for query, columns, count, out in zip(asked, which, counts.tolist(), products, strict=True):
            gallery.take(columns[:count], 0, held[:count], "clip")  # "raise" would copy once more
            np.vecdot(
                held[:count], query, out=out[:count]
            )  # the same for the same vector, np.dot is not
        values = torch.from_numpy(products).mul_(self.ready.scale[index])
        values = self.matcher.finish(values, self.ready)
        return values.masked_fill_(torch.arange(index.shape[1]) >= counts[:, None], fill)

    def all(self, rows: Tensor) -> Tensor:
        """Distances (r, N) in float32 of some images to all."""
        return self.matcher.compare(self.queries(rows), self.ready)


def bf16_prefilter(images: Embedding, matcher: Matcher, k: int) -> BF16Cosine | None:
    """Distances in bfloat16, where those are faster and can decide most lists; else None.

    That needs a processor with bfloat16 units, a `CosineMatcher`, and distances that lie apart: a
    sample of images is looked at, whether those beyond the candidates could be mistaken.
    """
    if type(matcher) is not CosineMatcher or tensor_of(images).device.type != "cpu":
        return None  # a subclass may have other distances
    if len(images) < MIN_IMAGES or not has_bf16_units():
        return None
    bf16 = BF16Cosine(images, matcher)
    sample = torch.linspace(0, len(images) - 1, SAMPLE).long()
    nearest = smallest(bf16.all(sample), k + CANDIDATES)[0]
    decided = nearest[:, -1] - nearest[:, k - 1] > 2 * bf16.error
    decided &= (nearest[:, : k + 1].diff() > bf16.rounding).all(1)
    return bf16 if decided.float().mean() >= 0.9 else None


class BF16Lists:
    """As `NearestLists`, from distances in bfloat16, some of which may be exact.

    More candidates are kept than are wanted. Those whose bf16 distance is within twice the error
    of the k-th smallest are compared again in float32; the others cannot be among the first k. The
    list is right if its last image is nearer than the last candidate's bf16 distance less the
    error, for whatever is no candidate lies beyond that; else the image is compared again with all.
    So it is where two distances are so close that rounding decides: the order is then that of the
    product which everything else is computed with. The farthest image is found alike.

    Args:
        bf16: distances of N images.
        k: length of the lists.
    """

    def __init__(self, bf16: BF16Cosine, k: int):
        self.bf16, self.k = bf16, k
        self.near = NearestLists(len(bf16), min(k + CANDIDATES, len(bf16)))
        self.far = NearestLists(len(bf16), min(FARTHEST, len(bf16)))

    def add(self, rows: slice, columns: slice, tile: Tensor, both: bool) -> None:
        """As `NearestLists.add`; changes the signs of ``tile``."""
        self.near.add(rows, columns, tile, both)
        self.far.add(rows, columns, tile.neg_(), both)

    def result(self) -> Neighbours:
        """The lists."""
        near, far = self.near.result(), self.far.result()
        count, k = len(self.bf16), self.k
        index, sure = torch.empty(count, k, dtype=torch.int64), torch.empty(count, dtype=torch.bool)
        lists = Neighbours(index, torch.empty(count, k), torch.empty(count))
        for rows in _parts(count):
            distance, index = sorted_rows(self._exact(near, rows, k, torch.inf), near.index[rows])
            lists.distance[rows], lists.index[rows] = distance[:, :k], index[:, :k]
            sure[rows] = (distance[:, : k + 1].diff() > self.bf16.rounding).all(1)
            lists.farthest[rows] = self._exact(far, rows, 1, -torch.inf).amax(1)
            sure[rows] &= lists.distance[rows, -1] < near.distance[rows, -1] - self.bf16.error
            sure[rows] &= lists.farthest[rows] > self.bf16.error - far.distance[rows, -1]
        for again in (~sure).nonzero().flatten().split(ROWS):
            exact = self.bf16.all(again)
            lists.distance[again], lists.index[again] = smallest(exact, k)
            lists.farthest[again] = exact.amax(1)
        return lists

    def _exact(self, lists: Neighbours, rows: slice, k: int, fill: float) -> Tensor:
        """Float32 distances (r, m) of those candidates that may be among the first k."""
        distance = lists.distance[rows]
        bound = distance[:, [k - 1]] + 2 * self.bf16.error
        counts = (distance <= bound).sum(1)  # lists ascend
        return self.bf16.some(rows, lists.index[rows], counts, fill)


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
