"""From the feature maps of a clip's frames to one vector.

Shapes: B tracklets, N frames, M = B * N, K parts, D channels, L cells, E numbers per part.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.config.ranges import WHOLE
from reidkit.registry import HEADS
from reidkit.structures import Embedding, FeatureSpec, HeadOutput, ReIDBatch, pick_feature

from . import enhance as enhancements
from . import spatial
from .losses import statistics
from .temporal import TemporalPool


@HEADS.register_module()
class DRSAHead(nn.Module):
    """K spatial attentions on every frame, K temporal attentions over them, one embedding.

    Parts named for ``train.freeze``: ``head.spatial``, ``head.temporal``. While the spatial models
    are frozen, their maps are constants: the backbone learns nothing through them.

    Args:
        features: specs of the backbone's maps; the deepest is used. Supplied by the framework.
        parts: number K of spatial attention models; 0 pools the whole frame (the baseline).
        attention: "independent" models of two convolutions each (the paper's text), "shared" (the
            released module), or "stripes": fixed bands, nothing learned.
        init: of independent models: "random", or "stripes", a departure; see
            ``IndependentAttention``.
        hidden: width between the convolutions; None takes 256 (independent) or 64 (shared).
        enhance: "fc_l2" (the released code's), "none", or "second_order"; what is done to a gated
            vector. Without parts: none.
        pool: over the frames: "attn", "frame_attn", "mean", "max" or "visibility" (of the field of
            that name, (M, K)), see ``TemporalPool``.
        dim: width of the embedding.
        center: batch norm (without gain and shift) between the last layer and the normalisation;
            not in the paper. From random weights all vectors point the same way, and there OIM has
            hardly any gradient; a pre-trained backbone, as the paper's, does not need it.

    Shape:
        deepest map (M, D, h, w) of clips of ``batch.frames`` images -> embedding.vectors
        (B, 1, dim) of length 1; attention (M, K, L), logarithms of the maps; log: overlap,
        map_size and frame_entropy of the attention, in training.

    Raises:
        ValueError: parts below 0, unknown attention, init, enhance or pool; init="stripes" of other
            than independent models.

    Source:
        DRSA, arXiv 1803.09882, 3. What the text leaves open (enhancement, start of the weights,
        the last layer after a 128-d enhancement) is an option or named in its part's docstring.

    Example:
        >>> head = DRSAHead({"map": FeatureSpec(16, 8)}, parts=3)
        >>> clips = ReIDBatch(torch.zeros(8, 3, 64, 32), frames=4)
        >>> out = head({"map": torch.rand(8, 16, 8, 4)}, clips)
        >>> out.embedding.vectors.shape, out.outputs["attention"].shape
        (torch.Size([2, 1, 128]), torch.Size([8, 3, 32]))
    """

    pools_frames = True
    ranges = {"parts": WHOLE}
    gate = staticmethod(spatial.gate)

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        parts: int = 6,
        attention: str = "independent",
        hidden: int | None = None,
        enhance: str = "fc_l2",
        pool: str = "attn",
        dim: int = 128,
        center: bool = False,
        init: str = "random",
    ):
        super().__init__()
        if parts < 0:
            raise ValueError(f"parts must be at least 0, got {parts}")
        for option, value, known in (
            ("attention", attention, spatial.VARIANTS),
            ("enhance", enhance, enhancements.VARIANTS),
        ):
            if value not in known:
                raise ValueError(f"{option} must be one of {tuple(known)}, got {value!r}")
        self.map = pick_feature(features, "map")
        channels = features[self.map].channels
        self.parts, self.width = parts, dim
        self.gives = ("vectors", "attention") if parts else ("vectors",)
        self.asks = ("visibility",) if pool == "visibility" else ()
        self.spatial: nn.Module = nn.Identity()
        if parts:
            self.spatial = _attention(attention, channels, parts, hidden, init)
        self.enhance = enhancements.VARIANTS[enhance if parts else "none"](channels)
        self.temporal = TemporalPool(max(1, parts), self.enhance.width, pool)
        self.embedding = nn.Linear(max(1, parts) * self.enhance.width, dim)
        nn.init.normal_(self.embedding.weight, std=0.001)
        nn.init.zeros_(self.embedding.bias)
        self.center = nn.BatchNorm1d(dim, affine=False) if center else nn.Identity()

    def forward(self, maps: dict[str, Tensor], batch: ReIDBatch) -> HeadOutput:
        """Embedding of every clip, and the maps of every frame."""
        vectors, attention = self.by_frame(maps[self.map], batch.frames)
        pooled = self.temporal(vectors, self._visibility(batch)).flatten(1)
        unit = F.normalize(self.center(self.embedding(pooled)), dim=1)
        log = self._statistics(vectors, attention, batch) if self.training else {}
        outputs = {} if attention is None else {"attention": attention}
        return HeadOutput(Embedding(unit.unsqueeze(1)), outputs, log)

    def by_frame(self, features: Tensor, frames: int) -> tuple[Tensor, Tensor | None]:
        """Enhanced vectors of every part on every frame, and logarithms of the maps.

        Shape:
            features (M, D, h, w) -> vectors (B, N, K, E), attention (M, K, L) or None.
        """
        if not self.parts:
            gated, attention = features.mean((2, 3)).unsqueeze(1), None
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and _trained(self.spatial)):
                attention = spatial.log_maps(self.spatial(features))
            gated = self.gate(attention.exp(), features)
        return self.enhance(gated).unflatten(0, (-1, frames)), attention

    def _visibility(self, batch: ReIDBatch) -> Tensor | None:
        """(B, N, K), where the pool asks for it."""
        return batch["visibility"].unflatten(0, (-1, batch.frames)) if self.asks else None

    @torch.no_grad()
    def _statistics(
        self, vectors: Tensor, attention: Tensor | None, batch: ReIDBatch
    ) -> dict[str, Tensor]:
        weights = self.temporal.weights(vectors, self._visibility(batch)).float()
        entropy = -torch.special.xlogy(weights, weights).sum(1)
        log = {"frame_entropy": entropy.mean()}
        return log if attention is None else {**statistics(attention), **log}

    def visualize(self, path: Path, model: nn.Module, batch: ReIDBatch) -> None:
        """Write the sheet of spatial maps and temporal weights of a loaded batch of clips."""
        from .picture import attention_sheet

        if not self.parts:
            return
        prepared = model.data_preprocessor.one(batch)  # type: ignore[operator, union-attr]
        with torch.no_grad():
            features = model.backbone(prepared.images, prepared)[self.map].float()  # type: ignore[operator]
            vectors, attention = self.by_frame(features, prepared.frames)
            weights = self.temporal.weights(vectors, self._visibility(prepared))
        assert attention is not None  # there are parts
        shape = (len(batch), prepared.frames, self.parts, *features.shape[2:])
        clips = batch.images if batch.images.dim() == 5 else batch.images[:, None]
        frames = clips.permute(0, 1, 3, 4, 2).cpu().numpy()
        maps = attention.exp().reshape(shape).cpu().numpy()
        attention_sheet(path, frames, maps, weights.cpu().numpy())


def _attention(
    attention: str, channels: int, parts: int, hidden: int | None, init: str
) -> nn.Module:
    options: dict = {} if hidden is None or attention == "stripes" else {"hidden": hidden}
    if attention == "independent":
        options["init"] = init
    elif init != "random":
        raise ValueError(f'init={init!r} is of attention="independent", got {attention!r}')
    return spatial.VARIANTS[attention](channels, parts, **options)


def _trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
