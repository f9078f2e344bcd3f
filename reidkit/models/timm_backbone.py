"""Networks of timm by name: ``model.backbone=timm/vit_small_patch14_dinov2``.

Shape letters: N images, C channels, L tokens, h w feature cells or patches.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.errors import UserError
from reidkit.models.adapters import measured, no_network
from reidkit.models.weights import fetch
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit.utils.checkpoint import load_state


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
        pretrained: path of a state dict of the whole network; "imagenet" for the ones timm names,
            fetched if not in its cache; None starts from random weights.
        input_size: (height, width) of the images in pixels. Supplied by the framework.

    Shape:
        images (N, 3, H, W) float -> {"stage<i>": (N, C, h, w)}, shallow to deep; or {"tokens":
        (N, h * w, C), "map": (N, C, h, w), "class": (N, C)}.

    Raises:
        UserError: timm is not installed, or it has no such network; weights that do not fit or
            cannot be fetched.

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
        input_size: tuple[int, int] = (256, 128),
    ):
        super().__init__()
        try:
            import timm
        except ImportError:
            raise UserError("TimmBackbone needs timm: python -m pip install timm") from None
        if not timm.is_model(name):
            raise UserError(no_network("timm", name, timm.list_models()))
        options: dict[str, Any] = {}
        if pretrained == "imagenet":
            options.update(pretrained=True)
        elif pretrained is not None:
            state = _whole_state(timm.create_model(name), pretrained)
            options.update(pretrained=True, pretrained_cfg_overlay=dict(state_dict=state))
        self.body: Any = self._create(timm, name, options, pretrained == "imagenet", input_size)
        self.tokens = hasattr(self.body, "num_prefix_tokens")
        self.last = str(getattr(self.body, "output_fmt", "")).endswith("NHWC")
        if self.tokens:
            self.specs = self._token_specs()
        else:
            self.specs = measured(self, f"timm/{name}", input_size)
        self.default = list(self.specs)[-1]

    def _create(
        self, timm: Any, name: str, options: dict, download: bool, size: tuple[int, int]
    ) -> nn.Module:
        """The network for images of about this size, without its classifier."""
        # built without memory for weights: is it a plain transformer, and of which patches?
        with torch.device("meta"):
            kind = timm.create_model(name, num_classes=0)
        grid = getattr(getattr(kind, "patch_embed", None), "grid_size", None)
        if hasattr(kind, "num_prefix_tokens") and grid is not None:
            patch = kind.patch_embed.patch_size
            size = tuple(-(-side // one) * one for side, one in zip(size, patch, strict=True))
            options = dict(options, num_classes=0, img_size=size)
        else:
            options = dict(options, features_only=True)
        self.size = size

        def create() -> nn.Module:
            try:  # transformers want to know the size; convolutional networks do not know the word
                return timm.create_model(name, **{"img_size": tuple(size), **options})
            except TypeError:
                return timm.create_model(name, **options)

        try:
            if not download:
                return create()
            cfg = timm.get_pretrained_cfg(name)
            at = f"https://huggingface.co/{cfg.hf_hub_id}" if cfg and cfg.hf_hub_id else "them"
            return fetch(f"timm's {name}", create, at)
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
        """Parameters from input to output, in timm's groups; else one group for each module."""
        from timm.models import group_parameters

        body = getattr(self.body, "model", self.body)
        if not hasattr(body, "group_matcher"):
            return [list(module.parameters()) for module in body.children()]
        groups = group_parameters(body, body.group_matcher(coarse=False))
        known = dict(body.named_parameters())
        return [[known[n] for n in names if n in known] for _, names in sorted(groups.items())]

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """Maps of every stage, or tokens, map and class token; the batch is not looked at."""
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


def _whole_state(network: nn.Module, path: str) -> dict[str, Tensor]:
    """The state dict of a whole timm network; its classifier may have other classes.

    Raises:
        UserError: a tensor besides the classifier's is missing or of another shape.
    """
    state, own = load_state(path), network.state_dict()
    named = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
    heads = tuple(f"{n}." for n in ([named] if isinstance(named, str) else named))
    wanted = {n: v for n, v in own.items() if not (heads and n.startswith(heads))}
    wrong = [n for n, v in wanted.items() if n not in state or state[n].shape != v.shape]
    if wrong:
        raise UserError(
            f"{path}: weights do not fit {type(network).__name__}: {len(wrong)} of {len(wanted)} "
            f"tensors missing or of another shape (first: {', '.join(wrong[:3])})"
        )
    return {**own, **{n: state[n] for n in wanted}}
