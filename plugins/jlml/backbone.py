"""The network: shared low-level layers, a global branch, and local streams on stripes.

Shapes: N images, C channels, h w feature cells.
"""

from __future__ import annotations

import copy
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.weights import Loaded, load_weights
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

from .blocks import first_conv, initialise, stages
from .streams import LocalStreams

BRANCHES = ("joint", "global", "local")
SHARED = ("none", "conv1", "pool", "conv2_x")  # in this order: each shares what the one before does


@dataclass(frozen=True)
class StripedSpec(FeatureSpec):
    """A map that is made of stripes; its rows are rounded up in each of them.

    Args:
        channels, stride: see ``FeatureSpec``.
        stripes: number of equal row blocks, top to bottom.

    Example:
        >>> StripedSpec(256, (16, 32), stripes=4).map_size((224, 224))
        (16, 7)
    """

    stripes: int = 1

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """See ``FeatureSpec.map_size``."""
        rows, width = super().map_size((-(-size[0] // self.stripes), size[1]))
        return self.stripes * rows, width


@BACKBONES.register_module()
class JLMLNet(nn.Module):
    """JLML-ResNet39: one stream on the whole image, one on each stripe, on shared first layers.

    Streams of the local branch have parameters of their own and half the width. Where they are
    sliced is after the last shared layer, at the earliest after conv1.

    Args:
        branch: "joint", "global" or "local": which branches there are.
        share_depth: what both branches share: "none" (two stems), "conv1", "pool" (its pooling,
            too) or "conv2_x" (the first stage, too).
        stripes: number of stripes and local streams; the rows where they are sliced (half the
            input's, or a quarter) must be a multiple of it.
        width: planes of the global branch's first stage; a local stream has half as many.
        expansion: channels out of a block for each of its planes.
        blocks: blocks in conv2_x, conv3_x, ...
        strides: strides of those stages.
        stem_width: channels of conv1; None takes ``width``.
        stem_kernel: size of conv1's kernel.
        local_pool_stride: (vertical, horizontal) stride of the pooling on the stripes. (1, 2) gives
            local maps of 28 x 56 at 224 x 224 (reading A of the published table), (2, 2) gives
            14 x 56 (B). Without effect where the pooling is shared.
        stride_on: the convolution of a block that has the stride: "1x1" or "3x3".

    Shape:
        images (N, 3, H, W) float -> "local" (N, 4 * width * expansion, h', w'), its rows in
        ``stripes`` equal blocks, and "global" (N, 8 * width * expansion, h, w).

    Raises:
        ValueError: an option outside the above.
        UserError: in ``forward``, a height that cannot be cut.

    Source:
        JLML, arXiv 1705.04724, Table 1; no code was published, and the sizes of the local maps
        were not checked against the text: reading A is the default, B is
        ``local_pool_stride=(2, 2)``, C is B with ``stem_kernel=7, stem_width=64``.

    Example:
        >>> import torch
        >>> net = JLMLNet(width=8, blocks=(1, 1, 1, 1)).eval()
        >>> {name: tuple(x.shape) for name, x in net(torch.zeros(1, 3, 64, 32)).items()}
        {'local': (1, 64, 4, 1), 'global': (1, 128, 2, 1)}
        >>> net.specs["local"]
        StripedSpec(channels=64, stride=(16, 32), kind='map', stripes=4)
    """

    def __init__(
        self,
        branch: str = "joint",
        share_depth: str = "conv1",
        stripes: int = 4,
        width: int = 32,
        expansion: int = 2,
        blocks: Sequence[int] = (3, 4, 3, 2),
        strides: Sequence[int] = (1, 2, 2, 2),
        stem_width: int | None = None,
        stem_kernel: int = 3,
        local_pool_stride: tuple[int, int] = (1, 2),
        stride_on: str = "1x1",
    ):
        super().__init__()
        _check(branch, share_depth, stripes, width, blocks, strides, stride_on)
        depth, stem_width = SHARED.index(share_depth), stem_width or width
        self.branches = nn.ModuleDict()
        self.specs: dict[str, FeatureSpec] = {}
        down = math.prod(strides)

        def network(conv1: bool, **layers: nn.Module) -> nn.Sequential:
            low = {"conv1": first_conv(stem_width, stem_kernel)} if conv1 else {}
            return nn.Sequential(OrderedDict(**low, **layers))

        self.shared = network(depth > 0)
        trunk, out = stages(stem_width, width, expansion, blocks, strides, stride_on)
        trunk = OrderedDict(pool=nn.MaxPool2d(3, 2, 1), **trunk)
        for name in SHARED[2 : depth + 1]:
            self.shared.add_module(name, trunk.pop(name))
        if branch != "global":
            done = max(0, depth - 2)  # stages that are shared
            body, local_out = stages(
                expansion * width if done else stem_width,
                width // 2 * 2**done,
                expansion,
                blocks[done:],
                strides[done:],
                stride_on,
                stripes,
                first=2 + done,
            )
            pool = (2, 2) if depth > 1 else tuple(local_pool_stride)
            if depth < 2:
                body = OrderedDict(pool=nn.MaxPool2d(3, pool, 1), **body)
            streams = LocalStreams(network(depth == 0), nn.Sequential(body), stripes)
            self.branches["local"] = streams
            stride = (2 * pool[0] * down, 2 * pool[1] * down)
            self.specs["local"] = StripedSpec(local_out, stride, stripes=stripes)
        if branch != "local":
            self.branches["global"] = network(depth == 0, **trunk)
            self.specs["global"] = FeatureSpec(out, 4 * down)
        self.default = list(self.specs)[-1]
        initialise(self)

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """The maps of the branches that there are, "global" last; the batch is not looked at."""
        low = self.shared(images)
        return {name: branch(low) for name, branch in self.branches.items()}

    def unrolled(self) -> JLMLNet:
        """A copy that runs the local streams one after the other: the same maps, for comparison."""
        plain = copy.deepcopy(self)
        plain.branches["local"] = self.branches["local"].unrolled()
        return plain


def _check(
    branch: str,
    share_depth: str,
    stripes: int,
    width: int,
    blocks: Sequence[int],
    strides: Sequence[int],
    stride_on: str,
) -> None:
    """Refuse options outside the closed sets."""
    for name, value, allowed in (
        ("branch", branch, BRANCHES),
        ("share_depth", share_depth, SHARED),
        ("stride_on", stride_on, ("1x1", "3x3")),
    ):
        if value not in allowed:
            raise ValueError(f"JLMLNet: {name} must be one of {allowed}, got {value!r}")
    if stripes < 1 or width < 2 or width % 2:
        raise ValueError(
            f"JLMLNet: stripes must be at least 1 and width even, got {stripes} and {width}"
        )
    if not blocks or len(blocks) != len(strides):
        raise ValueError(f"JLMLNet: one stride for each stage, got {blocks} and {strides}")
    if share_depth == "conv2_x" and len(blocks) < 2:
        raise ValueError("JLMLNet: sharing conv2_x needs a second stage for the branches")


@BACKBONES.register_module()
class JLMLResNet50(JLMLNet):
    """The two branches of JLML on a ResNet-50. An extension of ours: the paper has only ResNet39.

    Both branches share the first convolution and its pooling; the global branch is ResNet-50 and
    can start from its ImageNet weights; the local streams are ResNet-50s of half the width and
    start from random weights.

    Args:
        branch, stripes: see ``JLMLNet``.
        last_stride: stride of the last stage; re-id commonly takes 1, for a map twice as fine.
        pretrained: path of torchvision's ResNet-50 weights; None starts from random weights.

    Shape:
        images (N, 3, H, W) float -> "local" (N, 1024, h', w') and "global" (N, 2048, h, w).

    Raises:
        ValueError: see ``JLMLNet``.
        UserError: ``pretrained`` is missing or does not fit, or ``branch`` has no global branch.

    Source:
        None: ours. Blocks as in torchvision (stride on the 3x3), so that its weights fit.
    """

    def __init__(
        self,
        branch: str = "joint",
        stripes: int = 4,
        last_stride: int = 2,
        pretrained: str | None = None,
    ):
        super().__init__(
            branch,
            share_depth="pool",
            stripes=stripes,
            width=64,
            expansion=4,
            blocks=(3, 4, 6, 3),
            strides=(1, 2, 2, last_stride),
            stem_kernel=7,
            stride_on="3x3",
        )
        self.loaded = None if pretrained is None else self._load(pretrained)

    def _load(self, path: str) -> Loaded:
        """Fill the first layers and the global branch; the source's classifier is left out."""
        if "global" not in self.branches:
            raise UserError("pretrained fills the global branch, which branch=local does not have")
        return load_weights(
            self,
            path,
            optional=lambda name: name.startswith("branches.local."),
            rename=lambda tensors: {_ours(name): value for name, value in tensors.items()},
        )


def _ours(name: str) -> str:
    """The name that a tensor of torchvision's ResNet-50 has here."""
    stem = re.match(r"(conv1|bn1)\.(.+)", name)
    if stem:
        return f"shared.conv1.{0 if stem[1] == 'conv1' else 1}.{stem[2]}"
    return re.sub(r"^layer(\d)", lambda m: f"branches.global.conv{int(m[1]) + 1}_x", name)
