"""The transformer: overlapping patches, and the camera added to every token.

Shape letters: N images, H W pixels, L patches, D dims, h w rows and columns of patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import timm
import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

from .cameras import CameraEmbedding


@dataclass(frozen=True)
class TokenSpec(FeatureSpec):
    """The spec of tokens, with the layers that the backbone itself puts after them.

    Args:
        channels, stride, kind: see ``FeatureSpec``.
        rest: those layers: (N, L, D) -> (N, L, D). A head that goes on from the tokens in a way of
            its own starts from a copy, and so from the same weights.
    """

    rest: nn.Module | None = field(default=None, compare=False, repr=False)


class SlidingPatches(PatchEmbed):
    """Patches at a distance smaller than their size, so that neighbours share pixels.

    Args:
        stride: pixels from one patch to the next, both ways.
        options: those of timm's ``PatchEmbed``.

    Shape:
        images (N, 3, H, W) -> (N, h * w, D) with h = (H - P) // stride + 1 of patches of P pixels,
        w likewise.

    Source:
        He et al., arXiv 2102.04378, Eq. 2.

    Example:
        >>> patches = SlidingPatches(stride=12, img_size=(256, 128), patch_size=16, embed_dim=8)
        >>> patches.grid_size, patches(torch.zeros(1, 3, 256, 128)).shape
        ((21, 10), torch.Size([1, 210, 8]))
    """

    def __init__(self, *, stride: int, **options: Any):
        super().__init__(**options)
        self.proj.stride = (stride, stride)
        self.grid_size = tuple(
            (side - patch) // stride + 1
            for side, patch in zip(self.img_size, self.patch_size, strict=True)
        )
        self.num_patches = self.grid_size[0] * self.grid_size[1]


@BACKBONES.register_module()
class SIETransformer(nn.Module):
    """A vision transformer of timm on overlapping patches, told the camera of every image.

    The camera's vector, times ``strength``, is added to all tokens after the position embeddings.
    The global feature is the class token after the last block. For heads that end in a block of
    their own there are the tokens before it.

    Args:
        name: of a plain transformer in timm with a class token and learned positions, e.g.
            "vit_base_patch16_224.augreg_in21k_ft_in1k", "deit_small_patch16_224".
        depth: number of blocks, at least 2; None takes all that the network has. Fewer take the
            weights of the first ones.
        stride: pixels from one patch to the next, 1 to the size of a patch; None: that size.
        strength: lambda, factor on the camera's vector; 0 leaves the camera out.
        unknown: what cameras get that training did not see: "mean" of the table, or "zero".
        domain: name of the training domain whose cameras have vectors.
        drop_path: share of residual branches left out in training, rising to it block by block.
        pretrained: "imagenet" for timm's own weights, fetched if not in its cache; the path of a
            file with weights of the whole network; None starts from random ones. Position
            embeddings are resized.
        cameras: cameras of the training images. Supplied by the framework.
        input_size: (height, width) of the images in pixels. Supplied by the framework.

    Shape:
        images (N, 3, H, W) -> "tokens" (N, L, D) and "shared" (N, D), patch tokens and class token
        before the last block; "class" (N, D), class token after it and the last norm.

    Raises:
        ValueError: depth, stride or ``unknown`` out of range.
        UserError: no such transformer in timm; weights that do not fit or cannot be fetched.

    Source:
        He et al., arXiv 2102.04378, 3.1 (overlapping patches) and 3.3 (side information).

    Example:
        >>> net = SIETransformer("vit_tiny_patch16_224", depth=2, stride=12, cameras=(1, 2),
        ...                      input_size=(64, 32))
        >>> batch = ReIDBatch(torch.zeros(2, 3, 64, 32), cameras=torch.tensor([1, 2]))
        >>> {name: tuple(one.shape) for name, one in net(batch.images, batch).items()}
        {'tokens': (2, 10, 192), 'shared': (2, 192), 'class': (2, 192)}
    """

    default = "class"

    def __init__(
        self,
        name: str = "vit_tiny_patch16_224",
        depth: int | None = None,
        stride: int | None = None,
        strength: float = 3.0,
        unknown: str = "mean",
        domain: str = "source",
        drop_path: float = 0.0,
        pretrained: str | None = None,
        cameras: Sequence[int] = (),
        input_size: tuple[int, int] = (256, 128),
    ):
        super().__init__()
        options: dict[str, Any] = dict(img_size=tuple(input_size), drop_path_rate=drop_path)
        if depth is not None:
            if depth < 2:
                raise ValueError(f"depth must be at least 2 blocks, got {depth}")
            options["depth"] = depth
        if stride is not None:
            options["embed_layer"] = partial(SlidingPatches, stride=stride)
        self.body = _transformer(name, options, pretrained)
        patch = self.body.patch_embed.patch_size
        if stride is not None and not 1 <= stride <= min(patch):
            raise ValueError(f"stride must be 1 to {min(patch)}, the size of a patch, got {stride}")
        dims, self.strength = self.body.embed_dim, strength
        self.cameras = CameraEmbedding(cameras, dims, domain, unknown) if strength else None
        rest = nn.Sequential(self.body.blocks[-1], self.body.norm)
        self.specs = {
            "tokens": TokenSpec(dims, kind="tokens", rest=rest),
            "shared": FeatureSpec(dims, kind="vector"),
            "class": FeatureSpec(dims, kind="vector"),
        }

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: what makes the tokens, then block by block."""
        blocks = [list(block.parameters()) for block in self.body.blocks]
        blocks[-1] += self.body.norm.parameters()
        later = {id(p) for block in blocks for p in block}
        return [[p for p in self.parameters() if id(p) not in later], *blocks]

    def forward(self, images: Tensor, batch: ReIDBatch) -> dict[str, Tensor]:
        """Tokens of patches and camera through all blocks; those before the last one are kept."""
        body = self.body
        patches = body.patch_embed(images)
        tokens = torch.cat([body.cls_token.expand(len(patches), -1, -1), patches], 1)
        tokens = tokens + body.pos_embed
        if self.cameras is not None:
            side = self.cameras(batch.cameras, len(images), batch.domain)
            tokens = tokens + self.strength * side[:, None]
        tokens = body.blocks[:-1](body.norm_pre(body.pos_drop(tokens)))
        whole = body.norm(body.blocks[-1](tokens))
        return {"tokens": tokens[:, 1:], "shared": tokens[:, 0], "class": whole[:, 0]}


def _transformer(name: str, options: dict[str, Any], pretrained: str | None) -> VisionTransformer:
    """timm's network without its classifier.

    Raises:
        UserError: not a plain transformer of timm, or no weights for it.
    """
    if not timm.is_model(name):
        raise UserError(f"SIETransformer: timm has no network {name!r}; try vit_small_patch16_224")
    if pretrained not in (None, "imagenet"):
        options = dict(options, pretrained_cfg_overlay=dict(file=pretrained))
    try:
        body = timm.create_model(name, pretrained=pretrained is not None, num_classes=0, **options)
    except (RuntimeError, OSError) as error:
        if pretrained is None:
            raise
        cause = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{name}, pretrained={pretrained!r}: {cause}\n  give the path of a file with its "
            "weights, or pretrained=None for random ones"
        ) from error
    plain = isinstance(body, VisionTransformer) and body.cls_token is not None
    if not plain or body.num_prefix_tokens != 1 or body.no_embed_class or body.pos_embed is None:
        raise UserError(
            f"SIETransformer: {name} is no plain transformer with a class token and a learned "
            "position for each token, as vit_small_patch16_224 is"
        )
    return body
