"""Backbones: ResNets assembled for re-id, and adapters for torchvision's and timm's networks.

Shape letters: N images, C channels, h w feature cells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec
from reidkit.utils.checkpoint import load_state

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

    Parameter names are torchvision's, so its ImageNet weights load unchanged where shapes agree.

    Args:
        depth: 10, 18, 34, 50 or 101.
        width: channels of the first stage before block expansion; 64 is the published network.
        stages: how many of the four stages to keep, 1 to 4.
        strides: vertical and horizontal stride of each kept stage; None takes (1, 2, 2, 2).
        last_stride: stride of the last kept stage, replacing its entry in ``strides`` (re-id
            commonly takes 1 for a map twice as fine); None keeps the entry.
        pretrained: path of a state dict with torchvision's names; None starts from random weights.

    Shape:
        images (N, 3, H, W) float -> {"layer1": (N, C1, h1, w1), ...}; the last name is the deepest.

    Raises:
        ValueError: a depth, number of stages or strides outside the above.
        UserError: ``pretrained`` is missing or does not fit.

    Source:
        He et al., arXiv 1512.03385; the bottleneck strides in its 3x3 convolution as in
        torchvision.

    Example:
        >>> net = ResNet(depth=18, width=8, stages=3, strides=(1, 2, 1))
        >>> {name: tuple(x.shape) for name, x in net(torch.zeros(1, 3, 192, 64)).items()}["layer3"]
        (1, 32, 24, 8)
        >>> net.specs["layer3"]
        FeatureSpec(channels=32, stride=8)
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        stages: int = 4,
        strides: tuple[int, ...] | None = None,
        last_stride: int | None = 1,
        pretrained: str | None = None,
    ):
        super().__init__()
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
        self.maxpool = nn.MaxPool2d(3, 2, 1)
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
        if pretrained is not None:
            load_pretrained(self, pretrained)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps of every kept stage, shallow to deep."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = {}
        for name in self.specs:
            x = self.get_submodule(name)(x)
            maps[name] = x
        return maps


def _stage(depth: int, index: int, channels: int, planes: int, stride: int):
    """One stage of torchvision's blocks, and the channels it puts out."""
    from torchvision.models import resnet  # ten times dearer to import than this module

    name, counts = _LAYOUTS[depth]
    block = getattr(resnet, name)
    out = planes * block.expansion
    shortcut = None
    if stride != 1 or channels != out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        )
    blocks = [block(channels, planes, stride, shortcut)]
    blocks += [block(out, planes) for _ in range(counts[index] - 1)]
    return nn.Sequential(*blocks), out


def load_pretrained(net: nn.Module, path: str) -> None:
    """Copy weights by name; the classifier of the source is the only thing left behind."""
    state = {k: v for k, v in load_state(path).items() if not k.startswith("fc.")}
    own = net.state_dict()
    stages_beyond = {k for k in state if k not in own and k.split(".")[0].startswith("layer")}
    wrong = [k for k in own if k not in state or state[k].shape != own[k].shape]
    extra = sorted(set(state) - set(own) - stages_beyond)
    if wrong or extra:
        raise UserError(
            f"{path}: weights do not fit {type(net).__name__}: "
            f"{len(wrong)} missing or of another shape (first: {wrong[:3]}), "
            f"{len(extra)} unknown (first: {extra[:3]}). "
            "Use a state dict of the same depth and width."
        )
    net.load_state_dict({k: v for k, v in state.items() if k in own})


@BACKBONES.register_module()
class TorchvisionBackbone(nn.Module):
    """Any torchvision classification network up to one of its inner modules.

    Args:
        name: torchvision's name, e.g. "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf".
        node: the inner module whose output map is used; "features" fits most networks.
        pretrained: path of a state dict of the whole network; None starts from random weights.

    Shape:
        images (N, 3, H, W) float -> {node: (N, C, h, w)}.

    Raises:
        UserError: no such network or node; weights that do not fit.

    Example:
        >>> net = TorchvisionBackbone("squeezenet1_1")
        >>> net.specs
        {'features': FeatureSpec(channels=512, stride=16)}
    """

    def __init__(
        self,
        name: str = "mobilenet_v3_small",
        node: str = "features",
        pretrained: str | None = None,
    ):
        super().__init__()
        from torchvision import models

        if name not in models.list_models():
            raise UserError(
                f"torchvision has no network {name!r}; see torchvision.models.list_models()"
            )
        network = models.get_model(name, weights=None)
        if pretrained is not None:
            network.load_state_dict(load_state(pretrained))
        try:
            self.body = network.get_submodule(node)
        except AttributeError:
            inner = [n for n, _ in network.named_children()]
            raise UserError(f"{name} has no module {node!r}; it has: {', '.join(inner)}") from None
        self.node = node
        self.specs = {node: _measure(self.body)}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The map of the chosen module."""
        return {self.node: self.body(images)}


@BACKBONES.register_module()
class TimmBackbone(nn.Module):
    """Any timm network that offers feature maps; needs the timm package.

    Args:
        name: timm's name, e.g. "resnet50", "convnext_tiny".
        pretrained: path of a checkpoint that timm reads; None starts from random weights.

    Shape:
        images (N, 3, H, W) float -> {"stage<i>": (N, C, h, w)}, shallow to deep.

    Raises:
        UserError: timm is not installed, or it has no such network.
    """

    def __init__(self, name: str = "resnet50", pretrained: str | None = None):
        super().__init__()
        try:
            import timm
        except ImportError:
            raise UserError("TimmBackbone needs timm: python -m pip install timm") from None
        if not timm.is_model(name):
            near = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or "see timm.list_models()"
            raise UserError(f"timm has no network {name!r}; near: {near}")
        self.body = timm.create_model(name, features_only=True, checkpoint_path=pretrained or "")
        info = self.body.feature_info
        self.specs = {
            f"stage{i}": FeatureSpec(c, s)
            for i, (c, s) in enumerate(zip(info.channels(), info.reduction(), strict=True))
        }

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps of every stage."""
        return dict(zip(self.specs, self.body(images), strict=True))


def _measure(body: nn.Module, side: int = 128) -> FeatureSpec:
    """Width and stride of a module's output map, found by running it once."""
    training = body.training
    body.eval()
    with torch.no_grad():
        out = body(torch.zeros(1, 3, side, side))
    body.train(training)
    return FeatureSpec(out.shape[1], 2 ** round(math.log2(side / out.shape[2])))
