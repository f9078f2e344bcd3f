"""ResNets assembled for re-id. Networks of other libraries: ``adapters.py``.

Shape letters: N images, C channels, h w feature cells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from reidkit.models import blocks
from reidkit.models.weights import Loaded, load_weights, torchvision_state
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

_LAYOUTS = {
    10: ("BasicBlock", (1, 1, 1, 1)),  # not in the paper; the usual smallest member
    18: ("BasicBlock", (2, 2, 2, 2)),
    34: ("BasicBlock", (3, 4, 6, 3)),
    50: ("Bottleneck", (3, 4, 6, 3)),
    101: ("Bottleneck", (3, 4, 23, 3)),
}


@BACKBONES.register_module()
class ResNet(nn.Module):
    """ResNet with the width, depth and strides that re-id recipes choose.

    Parameter names are torchvision's, so its ImageNet weights load unchanged where shapes agree,
    and so do backbones in files of torchreid, fast-reid, layumi and reidkit (docs/weights.md).

    Args:
        depth: 10, 18, 34, 50 or 101.
        width: channels of the first stage before block expansion; 64 is the published network.
        stages: how many of the four stages to keep, 1 to 4.
        strides: vertical and horizontal stride of each kept stage; None takes (1, 2, 2, 2).
        last_stride: stride of the last kept stage, replacing its entry in ``strides`` (re-id
            commonly takes 1 for a map twice as fine); None keeps the entry.
        stem_pool: "padded" (torchvision, torchreid) or "ceil": the stem's pooling without padding,
            as in fast-reid, whose weights give its own features only so.
        pretrained: path of weights; "imagenet" for torchvision's (V1), fetched if not in its
            cache; None starts from random weights.

    Shape:
        images (N, 3, H, W) float -> {"layer1": (N, C1, h1, w1), ...}; the last name is the deepest.

    Raises:
        ValueError: a depth, number of stages, strides or stem_pool outside the above.
        UserError: ``pretrained`` is missing, cannot be fetched or does not fit.

    Source:
        He et al., arXiv 1512.03385; the bottleneck strides in its 3x3 convolution as in
        torchvision.

    Example:
        >>> import torch
        >>> net = ResNet(depth=18, width=8, stages=3, strides=(1, 2, 1))
        >>> {name: tuple(x.shape) for name, x in net(torch.zeros(1, 3, 192, 64)).items()}["layer3"]
        (1, 32, 24, 8)
        >>> net.specs["layer3"]
        FeatureSpec(channels=32, stride=8, kind='map')
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        stages: int = 4,
        strides: tuple[int, ...] | None = None,
        last_stride: int | None = 1,
        stem_pool: str = "padded",
        pretrained: str | None = None,
    ):
        super().__init__()
        if stem_pool not in ("padded", "ceil"):
            raise ValueError(f"ResNet stem_pool must be 'padded' or 'ceil', got {stem_pool!r}")
        if depth not in _LAYOUTS:
            raise ValueError(f"ResNet depth must be one of {sorted(_LAYOUTS)}, got {depth}")
        if stages not in (1, 2, 3, 4):
            raise ValueError(f"ResNet keeps 1 to 4 stages, got {stages}")
        steps = list(strides or (1, 2, 2, 2)[:stages])
        if len(steps) != stages:
            raise ValueError(f"ResNet with {stages} stages needs {stages} strides, got {strides}")
        if last_stride is not None:
            steps[-1] = last_stride
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        ceil = stem_pool == "ceil"
        self.maxpool = nn.MaxPool2d(3, 2, padding=0 if ceil else 1, ceil_mode=ceil)
        self.specs: dict[str, FeatureSpec] = {}
        channels, stride = width, 4
        for i, step in enumerate(steps):
            stage, channels = _stage(depth, i, channels, width * 2**i, step)
            stride *= step
            self.add_module(f"layer{i + 1}", stage)
            self.specs[f"layer{i + 1}"] = FeatureSpec(channels, stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.default = f"layer{stages}"
        self.loaded: Loaded | None = None
        if pretrained == "imagenet":
            own = self.state_dict()
            state = torchvision_state(f"resnet{depth}", "IMAGENET1K_V1")
            self.load_state_dict({name: state[name] for name in own})
        elif pretrained is not None:
            self.loaded = load_weights(self, pretrained, self._beyond)
            if self.loaded.writer == "fast-reid" and not ceil:
                note = "fast-reid pools its stem without padding: model.backbone.stem_pool=ceil"
                self.loaded = replace(self.loaded, note=note)

    def _beyond(self, name: str) -> bool:
        """Whether a tensor belongs to a stage that is not kept."""
        return name.split(".")[0] in {f"layer{i}" for i in range(1, 5)} - set(self.specs)

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: the stem, then every block."""
        stem = [*self.conv1.parameters(), *self.bn1.parameters()]
        stages: list[Any] = [self.get_submodule(name) for name in self.specs]
        return [stem, *(list(block.parameters()) for stage in stages for block in stage)]

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """Feature maps of every kept stage, shallow to deep; the batch is not looked at."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = {}
        for name in self.specs:
            x = self.get_submodule(name)(x)
            maps[name] = x
        return maps


def _stage(depth: int, index: int, channels: int, planes: int, stride: int):
    """One stage of residual blocks, and the channels it puts out."""
    name, counts = _LAYOUTS[depth]
    block = getattr(blocks, name)
    out = planes * block.expansion
    shortcut = None
    if stride != 1 or channels != out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        )
    first = block(channels, planes, stride, shortcut)
    others = [block(out, planes) for _ in range(counts[index] - 1)]
    return nn.Sequential(first, *others), out
