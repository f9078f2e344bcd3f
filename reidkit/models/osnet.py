"""OSNet: residual blocks that look at four scales at once and weigh them, channel by channel.

Parameter names are torchreid's, so that its files load by name.

Shape letters: N images, C channels, h w feature cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.weights import Loaded, load_weights
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

WIDTHS = {"x1_0": 1.0, "x0_75": 0.75, "x0_5": 0.5, "x0_25": 0.25}
VARIANTS = ("", "ibn", "ain")
NAMES = tuple("_".join(filter(None, ("osnet", v, w))) for v in VARIANTS for w in WIDTHS)
_CHANNELS = (64, 256, 384, 512)
_SCALES = 4
# where a block normalises by instance; AIN as its search found it (arXiv 1910.06827, Fig. 5)
_INSTANCE = {
    "": (("", ""), ("", ""), ("", "")),
    "ibn": (("after", "after"), ("", ""), ("", "")),
    "ain": (("inside", "inside"), ("", "inside"), ("inside", "")),
}


class ConvUnit(nn.Module):
    """A convolution without bias, a norm, and a ReLU.

    Args:
        channels: of the input.
        out: of the output.
        kernel: side in pixels; the padding keeps the size at stride 1.
        stride: in pixels.
        norm: "batch", "instance" or "none".
        relu: whether a ReLU follows.

    Shape:
        (N, channels, h, w) -> (N, out, h / stride, w / stride).
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        norm: str = "batch",
        relu: bool = True,
    ):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        self.bn: nn.Module = {
            "batch": nn.BatchNorm2d(out),
            "instance": nn.InstanceNorm2d(out, affine=True),
            "none": nn.Identity(),
        }[norm]
        self.relu: nn.Module = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One map to the next."""
        return self.relu(self.bn(self.conv(x)))


class LiteConv(nn.Module):
    """A 3x3 convolution in two: 1x1 over channels, then 3x3 in each channel (1905.00953, Fig. 3).

    Args:
        channels: of input and output.

    Shape:
        (N, channels, h, w) -> the same.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """One map to the next."""
        return self.relu(self.bn(self.conv2(self.conv1(x))))


class AggregationGate(nn.Module):
    """Weighs the channels of a scale by what the whole map holds; one gate serves all scales.

    Args:
        channels: of the map.
        reduction: how many times narrower its hidden layer is.

    Shape:
        (N, channels, h, w) -> the same.

    Source:
        Zhou et al., arXiv 1905.00953, Eq. 4.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The map, every channel times its weight."""
        hidden = self.fc1(x.mean((2, 3), keepdim=True)).relu()
        return x * self.fc2(hidden).sigmoid()


class OmniScaleBlock(nn.Module):
    """Four streams of one to four lite 3x3 convolutions, gated, added up and put on a shortcut.

    Args:
        channels: of the input.
        out: channels of the output, a multiple of 4; the streams have a quarter.
        instance: where it normalises by instance: "" nowhere, "inside" the residual before the sum,
            "after" the sum.
        listed: whether the streams are named as in torchreid's AIN networks (``conv2.<i>.layers``)
            or as in its others (``conv2a`` to ``conv2d``).

    Shape:
        (N, channels, h, w) -> (N, out, h, w).

    Source:
        Zhou et al., arXiv 1905.00953, Fig. 4 (b); norms: arXiv 1910.06827, Fig. 3.
    """

    def __init__(self, channels: int, out: int, instance: str = "", listed: bool = False):
        super().__init__()
        width = out // 4
        self.conv1 = ConvUnit(channels, width)
        chains = [[LiteConv(width) for _ in range(t)] for t in range(1, _SCALES + 1)]
        if listed:
            self.conv2 = nn.ModuleList(
                nn.ModuleDict(dict(layers=nn.Sequential(*chain))) for chain in chains
            )
        else:
            self.conv2a = chains[0][0]
            self.conv2b, self.conv2c, self.conv2d = (nn.Sequential(*c) for c in chains[1:])
        self.gate = AggregationGate(width)
        norm = "none" if instance == "inside" else "batch"
        self.conv3 = ConvUnit(width, out, norm=norm, relu=False)
        self.downsample = None if channels == out else ConvUnit(channels, out, relu=False)
        self.IN = nn.InstanceNorm2d(out, affine=True) if instance else None
        self.instance, self.listed = instance, listed

    def _streams(self) -> Iterator[nn.Module]:
        if self.listed:
            yield from (stream["layers"] for stream in self.conv2)  # type: ignore[index]
        else:
            yield from (self.conv2a, self.conv2b, self.conv2c, self.conv2d)

    def forward(self, x: Tensor) -> Tensor:
        """One map to the next."""
        narrow = self.conv1(x)
        residual = self.conv3(sum(self.gate(stream(narrow)) for stream in self._streams()))
        shortcut = x if self.downsample is None else self.downsample(x)
        if self.IN is None:
            return (residual + shortcut).relu()
        if self.instance == "inside":
            return (self.IN(residual) + shortcut).relu()
        return self.IN(residual + shortcut).relu()


@BACKBONES.library("torchreid")
@BACKBONES.register_module()
class OSNet(nn.Module):
    """OSNet, the small network most used for re-id: ``model.backbone=torchreid/osnet_x0_25``.

    Args:
        name: torchreid's name: "osnet_" and the width ("x1_0", "x0_75", "x0_5", "x0_25"), or
            "osnet_ibn_" (instance norms in the first layers) or "osnet_ain_" (where a search put
            them) and the width.
        pretrained: path of weights; torchreid's files load by name, whatever their classes. None
            starts from random weights.

    Shape:
        images (N, 3, H, W) float, H and W multiples of 16 -> {"conv2": (N, C2, H / 8, W / 8),
        "conv3": (N, C3, H / 16, W / 16), "conv5": (N, C5, H / 16, W / 16)}; heads take the last.

    Raises:
        UserError: no such network; ``pretrained`` is missing, does not fit, or names weights that
            no library keeps.

    Source:
        Zhou et al., arXiv 1905.00953 (OSNet, Table 1) and arXiv 1910.06827 (AIN). IBN: instance
        norm in the first layer and after the sums of the first two blocks, as torchreid has it;
        neither paper gives it.

    Example:
        >>> import torch
        >>> net = OSNet("osnet_x0_25")
        >>> net(torch.zeros(1, 3, 64, 32))["conv5"].shape
        torch.Size([1, 128, 4, 2])
        >>> sum(p.numel() for p in net.parameters())
        134792
    """

    def __init__(self, name: str = "osnet_x1_0", pretrained: str | None = None):
        super().__init__()
        variant, width = _parsed(name)
        stem, *widths = (int(width * channels) for channels in _CHANNELS)
        self.listed = variant == "ain"
        self.conv1 = ConvUnit(3, stem, 7, 2, norm="instance" if variant else "batch")
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = stem
        for number, (out, where) in enumerate(zip(widths, _INSTANCE[variant], strict=True), 2):
            blocks = [
                OmniScaleBlock(channels, out, where[0], self.listed),
                OmniScaleBlock(out, out, where[1], self.listed),
            ]
            self._add_stage(number, blocks, out)
            channels = out
        self.conv5 = ConvUnit(channels, channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.specs = {
            "conv2": FeatureSpec(widths[0], 8),
            "conv3": FeatureSpec(widths[1], 16),
            "conv5": FeatureSpec(channels, 16),
        }
        self.default = "conv5"
        self.loaded: Loaded | None = None
        if pretrained == "imagenet":
            raise UserError(
                f"{name} has no ImageNet weights in a library; put a file of torchreid's model zoo "
                f"somewhere and name it: model.backbone.pretrained=data/weights/{name}.pth "
                "(docs/weights.md)"
            )
        if pretrained is not None:
            self.loaded = load_weights(self, pretrained)

    def _add_stage(self, number: int, blocks: list[OmniScaleBlock], out: int) -> None:
        """Two blocks and, but for the last stage, what halves the map: under torchreid's names."""
        halving: list[nn.Module] = []
        if number < 4:
            halving = [nn.Sequential(ConvUnit(out, out), nn.AvgPool2d(2, 2))]
        inside = [] if self.listed else halving
        self.add_module(f"conv{number}", nn.Sequential(*blocks, *inside))
        if self.listed and halving:
            self.add_module(f"pool{number}", halving[0])

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: the first layer, every block, what halves the map."""
        parts: list[nn.Module] = [self.conv1]
        for number in (2, 3, 4):
            parts += self.get_submodule(f"conv{number}").children()
            if self.listed and number < 4:
                parts.append(self.get_submodule(f"pool{number}"))
        return [list(part.parameters()) for part in (*parts, self.conv5)]

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """Maps after the second, third and last stage; the batch is not looked at."""
        x = self.maxpool(self.conv1(images))
        maps = {}
        for name in ("conv2", "conv3", "conv4"):
            x = self.get_submodule(name)(x)
            pool = name.replace("conv", "pool")
            maps[name] = x = self.get_submodule(pool)(x) if hasattr(self, pool) else x
        maps["conv5"] = self.conv5(maps.pop("conv4"))
        return maps


def _parsed(name: str) -> tuple[str, float]:
    """Variant and width of a name.

    Raises:
        UserError: no such network.
    """
    found = re.fullmatch(r"osnet(?:_(ibn|ain))?_(x\d_\d+)", name)
    if found is None or found[2] not in WIDTHS:
        raise UserError(f"torchreid/{name}: no such network; there are: {', '.join(NAMES)}")
    return found[1] or "", WIDTHS[found[2]]
