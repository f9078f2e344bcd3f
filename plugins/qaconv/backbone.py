"""The backbone: a ResNet cut after its third stage, with IBN-b and batch norm that stays as it is.

Shape letters: N images, C channels, h w feature cells.
"""

from __future__ import annotations

from torch import Tensor, nn

from reidkit.models.backbones import ResNet, load_pretrained
from reidkit.registry import BACKBONES


@BACKBONES.register_module()
class IBNResNet(ResNet):
    """A ResNet with instance normalisation in three places (IBN-b), and fixed batch statistics.

    Instance norm, which takes an image's own contrast and tint out, replaces the first batch norm
    and follows the last residual sum of the first two stages. With ``fixed_statistics`` the batch
    norms normalise by their running statistics in training, too, and these never change; their
    factors and summands still learn. That wants pretrained statistics: at random weights it is
    no normalisation at all.

    Args:
        depth, width: see ``ResNet``; the published network is 50 wide 64.
        stages: how many stages to keep; the third one's map is compared in the paper.
        strides, last_stride: see ``ResNet``; the last stride is kept by default.
        pretrained: path of a state dict with the names of the published IBN networks (``bn1`` an
            instance norm, ``layer1.2.IN``), or of torchvision's for ``ibn=False``.
        ibn: False leaves a plain ResNet.
        fixed_statistics: see above (versions 2.1 and later).

    Shape:
        images (N, 3, H, W) float -> {"layer1": (N, C1, h1, w1), ...}; the last name is the deepest.

    Raises:
        ValueError: as ``ResNet``.
        UserError: ``pretrained`` is missing or does not fit.

    Source:
        Pan et al., Two at Once, arXiv 1807.09441 (IBN-b); QAConv from version 1.1 on.

    Example:
        >>> import torch
        >>> net = IBNResNet(depth=18, width=8)
        >>> net(torch.zeros(1, 3, 384, 128))["layer3"].shape
        torch.Size([1, 32, 24, 8])
        >>> sum(isinstance(m, nn.InstanceNorm2d) for m in net.modules())
        3
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        stages: int = 3,
        strides: tuple[int, ...] | None = None,
        last_stride: int | None = None,
        pretrained: str | None = None,
        ibn: bool = True,
        fixed_statistics: bool = True,
    ):
        super().__init__(depth, width, stages, strides, last_stride)
        self.fixed_statistics = fixed_statistics
        if ibn:
            self.bn1 = nn.InstanceNorm2d(width, affine=True)
            for name in list(self.specs)[:2]:
                stage = self.get_submodule(name)
                stage[-1] = IBNBlock(stage[-1], self.specs[name].channels)
        if pretrained is not None:
            load_pretrained(self, pretrained)

    def train(self, mode: bool = True) -> IBNResNet:
        """Training mode for everything but batch norms with fixed statistics."""
        super().train(mode)
        if mode and self.fixed_statistics:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


class IBNBlock(nn.Module):
    """A residual block of torchvision's with an instance norm between its sum and its last ReLU.

    Args:
        block: ``BasicBlock`` or ``Bottleneck``; its parts are taken over under their names.
        channels: what it puts out.
    """

    def __init__(self, block: nn.Module, channels: int):
        super().__init__()
        self.downsample: nn.Module | None
        self.register_module("downsample", None)
        for name, part in block.named_children():
            setattr(self, name, part)
        self.IN = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """One map to the next."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            out = self.bn3(self.conv3(self.relu(out)))
        return self.relu(self.IN(out + shortcut))
