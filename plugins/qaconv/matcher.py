"""The QAConv matcher: two feature maps, their best local matches both ways, one learned score.

Shape letters: q queries, g gallery images, c channels, hw cells of a map.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from reidkit.config.ranges import RATE, WHOLE, Bounds
from reidkit.evaluation.matchers.base import EPS, Matcher
from reidkit.evaluation.matchers.prepared import Prepared
from reidkit.registry import MATCHERS
from reidkit.structures import Correspondences, Embedding
from reidkit.utils.processor import has_bf16_units

from .kernel import fused_sums
from .matching import best_matches, unit_cells, weighted_sums

WITHOUT_UNITS = "products=bf16: this processor has no bf16 units; computed in float32"


@MATCHERS.register_module()
class QAConvMatcher(Matcher):
    """Query-adaptive convolution: how well every cell of each map is found again in the other.

    Each query cell is a 1x1 kernel; the largest response over the gallery's map says how well it
    is found, and the same the other way round. The 2 x hw maxima are normalised, weighted by cell
    and normalised again: `scores`, larger is closer, with gradients, for the losses. In a test the
    same number is a weighted sum of the maxima (`weighted_sums`), and the distance is
    ``1 - sigmoid(score / temperature)``, which re-ranking can use as it is. It is no probability:
    TLift takes the run's calibration (``reidkit.evaluation.calibration``).

    Normalisation uses the statistics of the block in training and the running ones in a test. The
    distance always uses the running ones and has no gradient.

    Args:
        map_size: (h, w) of the maps; supplied by the framework from the backbone's deepest map.
        symmetric: True: one weight per cell for both directions (version 2.1), so the score does
            not depend on who is the query. False: weights of their own (1.0 to 2.0), for the
            query's cells first.
        temperature: of the sigmoid in the distance; it changes no ranking.
        prior: the probability that a pair shows one person, as the untrained score has it: the
            last normalisation starts with the summand ``ln(prior / (1 - prior))``, in (0, 1). 0.5
            is the paper's start at 0. With a class memory of K people under an optimiser such as
            AdamW, ``1 / K`` (departure: the start that the focal loss was published with).
        shortlist: compare each query only with this many gallery images, those whose mean cell
            is nearest by cosine; the others come after them in that order, at distance 1. 0: all.
        products: "fp32", or "bf16": products of cells in bfloat16, about twice as fast on
            processors that have instructions for it; distances are then right to about 1e-4, but
            the ``refined`` nearest images of each query are compared again in float32, and stand
            as float32 has them. A processor without such instructions would never come back: there
            all is float32, and a warning says so. On CUDA with Triton products are float16 either
            way.
        refined: images of each query that are compared again with ``products="bf16"``.

    Shape:
        maps (q, c, h, w) and (g, c, h, w), any float type; cells are brought to length 1.
        returns (q, g) float32 in [0, 1].

    Raises:
        ValueError: embeddings without maps, or of another size than ``map_size``; a negative
            shortlist or refined; unknown products; a temperature that is not above 0; a prior
            outside (0, 1).

    Source:
        Liao and Shao, arXiv 1904.10424 (ECCV 2020), section 3, and arXiv 2104.01546 (CVPR 2022).
        ``prior``: Lin et al., arXiv 1708.02002, section 3.3.

    Example:
        >>> matcher = QAConvMatcher(map_size=(3, 2)).eval()
        >>> maps = Embedding(maps=torch.eye(6).view(1, 6, 3, 2))
        >>> score = matcher.scores(maps, maps)[0, 0] - 2 * matcher.fc.bias[0]
        >>> round(score.item(), 3)
        2.0
    """

    bounds = (0.0, 1.0)
    ranges = {
        "map_size": Bounds(1, whole=True, length=2),
        "temperature": RATE,
        "shortlist": WHOLE,
        "refined": WHOLE,
    }

    def __init__(
        self,
        map_size: tuple[int, int] = (24, 8),
        symmetric: bool = True,
        temperature: float = 10.0,
        shortlist: int = 0,
        products: str = "fp32",
        refined: int = 100,
        prior: float = 0.5,
    ):
        super().__init__()
        if temperature <= 0 or shortlist < 0 or refined < 0:
            raise ValueError(
                "QAConvMatcher: temperature must be above 0, shortlist and refined at least 0, got "
                f"{temperature}, {shortlist} and {refined}"
            )
        if not 0 < prior < 1:
            raise ValueError(f"QAConvMatcher: prior must lie in (0, 1), got {prior}")
        if products not in ("fp32", "bf16"):
            raise ValueError(f'QAConvMatcher: products must be "fp32" or "bf16", got {products!r}')
        self.map_size, self.symmetric = tuple(map_size), symmetric
        self.temperature, self.shortlist = temperature, shortlist
        self.products, self.refined = products, refined
        self.cells = map_size[0] * map_size[1]
        self.norm = nn.BatchNorm1d(1)  # one channel: all pairs, both directions, all cells
        self.fc = nn.Linear(self.cells if symmetric else 2 * self.cells, 1)
        self.logit_norm = nn.BatchNorm1d(1)
        nn.init.constant_(self.logit_norm.bias, math.log(prior / (1 - prior)))
        if symmetric:
            nn.init.constant_(self.fc.weight, 1 / self.cells)

    # -- in training ------------------------------------------------------------------------
    def scores(self, query: Embedding, gallery: Embedding) -> Tensor:
        """Scores (q, g) between raw embeddings, larger is closer; with gradients.

        In training mode they depend on the whole block, whose statistics normalise them.
        """
        mine = unit_cells(self._maps(query))
        if query is gallery and self.symmetric:  # the other direction is the transpose
            forward, _ = best_matches(mine, mine)
            return self.head(forward, forward.transpose(0, 1))
        others = unit_cells(self._maps(gallery))
        forward, _ = best_matches(mine, others)
        backward, _ = best_matches(others, mine)
        return self.head(forward, backward.transpose(0, 1))

    def head(self, forward: Tensor, backward: Tensor) -> Tensor:
        """Scores (q, g) from the maxima of the query's and of the gallery's cells (q, g, hw)."""
        both = torch.stack([forward, backward])
        both = self.norm(both.reshape(-1, 1, self.cells)).view(both.shape)
        if self.symmetric:
            logits = self.fc(both).sum(0)
        else:
            logits = self.fc(torch.cat([both[0], both[1]], 2))
        return self.logit_norm(logits.reshape(-1, 1)).view(forward.shape[:2])

    # -- in a test --------------------------------------------------------------------------
    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (hw,) of the query's and the gallery's maxima, and the constant: the test score.

        The eval-mode `scores` are ``weights[0] . forward + weights[1] . backward + constant``.
        """
        scale, shift = _affine(self.norm)
        out_scale, out_shift = _affine(self.logit_norm)
        weights = self.fc.weight[0]
        forward, backward = (weights, weights) if self.symmetric else weights.split(self.cells)
        bias = self.fc.bias[0] * (2 if self.symmetric else 1)
        constant = out_scale * (shift * (forward.sum() + backward.sum()) + bias) + out_shift
        return out_scale * scale * forward, out_scale * scale * backward, constant

    def prepare(self, embedding: Embedding, side: str) -> Prepared:
        """The ``maps`` as they are, with ``factors`` (n, hw), one over the lengths of their cells.

        With a shortlist also ``mean`` (n, c), the mean unit cell, brought to length 1.
        """
        maps = self._maps(embedding)
        factors = maps.flatten(2).norm(dim=1).clamp_min(EPS).reciprocal().float()
        if not self.shortlist:
            return Prepared(maps=maps, factors=factors)
        mean = torch.bmm(maps.flatten(2).float(), factors[:, :, None])[..., 0]
        return Prepared(maps=maps, factors=factors, mean=nn.functional.normalize(mean))

    @torch.no_grad()
    def order(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """Minus the score without its constant."""
        if out is None:
            out = torch.empty(len(query), len(gallery), device=gallery.device)
        forward, backward, _ = self.folded()
        weights = (-forward, -backward)
        if self.shortlist and self.shortlist < len(gallery):
            near = query.mean @ gallery.mean.T
            beyond = float(forward.abs().sum() + backward.abs().sum()) + 1  # no sum is larger
            torch.sub(beyond + 1, near, out=out)
            chosen = near.topk(self.shortlist, dim=1).indices
        elif out.device.type == "cpu" and self._bf16():
            factors = (query.factors, gallery.factors)
            weighted_sums(query.maps, gallery.maps, weights, out, factors, torch.bfloat16)
            count = min(self.refined, len(gallery))
            if not count:
                return out
            chosen = out.topk(count, dim=1, largest=False).indices
        else:
            return self._sums(query, gallery, weights, out)
        for i, rows in enumerate(chosen.sort(1).values):
            part = out.new_empty(1, len(rows))
            out[i, rows] = self._sums(query[i : i + 1], gallery[rows], weights, part)[0]
        return out

    def _bf16(self) -> bool:
        """Whether products are bfloat16 on this CPU."""
        if self.products == "bf16" and not has_bf16_units():
            warnings.warn(WITHOUT_UNITS, stacklevel=2)
            return False
        return self.products == "bf16"

    @torch.no_grad()
    def compare(self, query: Prepared, gallery: Prepared, out: Tensor | None = None) -> Tensor:
        """``1 - sigmoid(score / temperature)``."""
        values = self.order(query, gallery, out)
        _, _, constant = self.folded()
        beyond = None
        if self.shortlist and self.shortlist < len(gallery):
            forward, backward, _ = self.folded()
            beyond = values > float(forward.abs().sum() + backward.abs().sum()) + 0.5
        values.sub_(float(constant)).div_(self.temperature).sigmoid_()
        return values if beyond is None else values.masked_fill_(beyond, 1.0)

    @torch.no_grad()
    def pairs(self, query: Prepared, gallery: Prepared) -> Tensor:
        """Distances (n,) of the i-th query to the i-th gallery image; no shortlist."""
        forward, backward, constant = self.folded()
        values = torch.empty(len(query))
        for rows in torch.arange(len(query)).split(32):  # 5 MB of similarities at a time
            left, right = (
                side.maps[rows].flatten(2) * side.factors[rows, None] for side in (query, gallery)
            )
            scores = torch.bmm(left.transpose(1, 2).to(forward), right.to(forward))
            score = scores.amax(2) @ forward + scores.amax(1) @ backward + constant
            values[rows] = torch.sigmoid(-score / self.temperature).to(values)
        return values.to(query.device)

    def _sums(
        self, query: Prepared, gallery: Prepared, weights: tuple[Tensor, Tensor], out: Tensor
    ) -> Tensor:
        """Exact sums of all pairs."""
        sums = fused_sums if weights[0].device.type == "cuda" else weighted_sums
        factors = (query.factors, gallery.factors)
        return sums(query.maps, gallery.maps, weights, out, factors)

    # -- for people -------------------------------------------------------------------------
    @torch.no_grad()
    def correspondences(self, query: Embedding, gallery: Embedding) -> Correspondences:
        """The pairs of cells that made the score of one query and one gallery image.

        Every cell of either map and its best match are a pair; one that is best in both
        directions counts for both. Ordered by what they add to the score, most first.

        Args:
            query: one raw embedding.
            gallery: one raw embedding.

        Raises:
            ValueError: more than one image on a side.
        """
        if len(query) != 1 or len(gallery) != 1:
            raise ValueError(
                f"correspondences are of one pair, got {len(query)} and {len(gallery)} images"
            )
        mine, others = (unit_cells(self._maps(side)) for side in (query, gallery))
        (best, at), (back, back_at) = best_matches(mine, others), best_matches(others, mine)
        forward, backward, _ = self.folded()
        every = torch.arange(self.cells, device=at.device)
        pairs = torch.cat(
            [torch.stack([every, at[0, 0]], 1), torch.stack([back_at[0, 0], every], 1)]
        )
        worth = torch.cat([forward * best[0, 0], backward * back[0, 0]])
        alike = torch.cat([best[0, 0], back[0, 0]])
        unique, which = torch.unique(pairs, dim=0, return_inverse=True)
        total = worth.new_zeros(len(unique)).index_add_(0, which, worth)
        likeness = alike.new_zeros(len(unique)).index_copy_(0, which, alike)
        order = total.argsort(descending=True, stable=True)
        return Correspondences(unique[order], likeness[order], total[order], self.map_size)

    def _maps(self, embedding: Embedding) -> Tensor:
        maps = embedding.maps
        if maps is None:
            raise ValueError(
                "QAConvMatcher compares feature maps; the embedding has only vectors. Use a head "
                "that keeps the map, such as qaconv/QAConvHead"
            )
        if tuple(maps.shape[2:]) != self.map_size:
            raise ValueError(
                f"QAConvMatcher is built for maps of {self.map_size}, got {tuple(maps.shape[2:])}"
            )
        return maps


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Factor and summand of a one-channel batch norm in eval mode."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale[0], (norm.bias - scale * norm.running_mean)[0]
