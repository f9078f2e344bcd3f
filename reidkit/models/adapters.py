"""Backbones of other libraries by name: ``torchvision/...``, ``mmpretrain/...``.

``model.backbone=torchvision/resnet50`` means ``dict(type="TorchvisionBackbone", name="resnet50")``.
What a network gives is measured by running it once, so heads get true widths and strides.

Shape letters: N images, C channels, h w feature cells.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.weights import Loaded, fetch, load_weights, torchvision_state
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpec, ReIDBatch

# children of torchvision's networks that come after the last feature map
_AFTER = ("avgpool", "classifier", "fc", "flatten", "head", "heads", "aux", "AuxLogits")


@BACKBONES.library("torchvision")
@BACKBONES.register_module()
class TorchvisionBackbone(nn.Module):
    """Any torchvision classification network up to its last map, or to one of its inner modules.

    Args:
        name: torchvision's name, e.g. "mobilenet_v3_small", "resnet50", "convnext_tiny".
        node: the inner module whose output map is used; None takes everything before pooling and
            classifier.
        pretrained: path of weights of the whole network, its classifier of any size or left out;
            "imagenet" for torchvision's best, fetched if not in its cache; None starts from random
            weights.
        input_size: (height, width) of the images in pixels. Supplied by the framework.

    Shape:
        images (N, 3, H, W) float -> {"map" or node: (N, C, h, w)}.

    Raises:
        UserError: no such network or node; no map there; weights that do not fit or cannot be
            fetched.

    Example:
        >>> TorchvisionBackbone("squeezenet1_1").specs
        {'map': FeatureSpec(channels=512, stride=16, kind='map')}
    """

    def __init__(
        self,
        name: str = "mobilenet_v3_small",
        node: str | None = None,
        pretrained: str | None = None,
        input_size: tuple[int, int] = (256, 128),
    ):
        super().__init__()
        from torchvision import models
        from torchvision.models.feature_extraction import create_feature_extractor

        known = models.list_models(module=models)
        if name not in known:
            raise UserError(no_network("torchvision", name, known))
        network = models.get_model(name, weights=None)
        self.loaded: Loaded | None = None
        if pretrained == "imagenet":
            network.load_state_dict(torchvision_state(name))
        elif pretrained is not None:
            classifier = lambda name: name.startswith(_AFTER)  # noqa: E731
            self.loaded = load_weights(network, pretrained, optional=classifier)
        if node is None:
            kept = [child for n, child in network.named_children() if not n.startswith(_AFTER)]
            self.body: nn.Module = nn.Sequential(*kept)
        else:
            try:
                self.body = create_feature_extractor(network, {node: node})
            except ValueError:
                inner = ", ".join(n for n, _ in network.named_children())
                raise UserError(f"{name} has no module {node!r}; it has: {inner}") from None
        self.node = self.default = node or "map"
        self.specs = measured(self, f"torchvision/{name}", input_size)

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """The map of the chosen module; the batch is not looked at."""
        out = self.body(images)
        return out if isinstance(out, dict) else {self.node: out}


@BACKBONES.library("mmpretrain")
@BACKBONES.register_module()
class MMPretrainBackbone(nn.Module):
    """Any backbone of mmpretrain, by class or by the name of one of its models; needs mmpretrain.

    Args:
        name: a backbone class ("ResNet", "SwinTransformer") or a model ("resnet18_8xb32_in1k").
        options: of the class; none for a model.
        pretrained: path of a checkpoint of the model or its backbone; "imagenet" for the one that
            mmpretrain names, fetched if not in its cache (models only); None starts from random
            weights.
        input_size: (height, width) of the images in pixels. Supplied by the framework.

    Shape:
        images (N, 3, H, W) float -> {"stage<i>": (N, C, h, w)} of its ``out_indices``.

    Raises:
        UserError: mmpretrain is not installed, or has no such network; options that do not fit; no
            map comes out; weights that do not fit or cannot be fetched.
    """

    needs = "mmpretrain"

    def __init__(
        self,
        name: str = "ResNet",
        options: dict | None = None,
        pretrained: str | None = None,
        input_size: tuple[int, int] = (256, 128),
    ):
        super().__init__()
        self.body = self._create(name, dict(options or {}), pretrained == "imagenet")
        self.loaded: Loaded | None = None
        if pretrained not in (None, "imagenet"):
            self.loaded = load_weights(self.body, str(pretrained))
        self.specs = measured(self, f"mmpretrain/{name}", input_size)
        self.default = list(self.specs)[-1]

    def _create(self, name: str, options: dict, download: bool) -> nn.Module:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # mmcv-lite says what it lacks; none of it is used
                from mmpretrain import get_model, list_models
                from mmpretrain.models import backbones
        except ImportError as error:
            raise UserError(
                f"MMPretrainBackbone needs mmpretrain: python -m pip install mmpretrain ({error})"
            ) from None
        if name == "ResNet":
            options = {"depth": 50, **options}
        if name in backbones.__all__:
            if download:
                raise UserError(
                    f"mmpretrain/{name} is a class without weights of its own: name a model such "
                    "as mmpretrain/resnet50_8xb32_in1k, or give a path"
                )
            try:
                return getattr(backbones, name)(**options)
            except (TypeError, AssertionError, KeyError) as error:
                raise UserError(f"mmpretrain/{name}: {error}; set options={{...}}") from error
        models = list_models()
        if name not in models:
            raise UserError(no_network("mmpretrain", name, [*backbones.__all__, *models]))
        if options:
            raise UserError(f"mmpretrain/{name} is a model: its options are fixed, give none")
        get = lambda: get_model(name, pretrained=download).backbone  # noqa: E731
        return fetch(f"mmpretrain's {name}", get, "its checkpoint") if download else get()

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """Feature maps of the chosen stages; the batch is not looked at."""
        maps = self.body(images)
        maps = maps if isinstance(maps, (tuple, list)) else (maps,)
        return {f"stage{i}": m for i, m in enumerate(maps)}


def no_network(library: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3) or [n for n in names if name[:6] in n][:3]
    return f"{library} has no network {name!r}; near: {', '.join(near) or 'none'}"


def measured(net: nn.Module, what: str, size: tuple[int, int]) -> dict[str, FeatureSpec]:
    """Width and stride of every map a network gives, found by running it once.

    Raises:
        UserError: it does not run on that size, or gives something else than maps.
    """
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            maps: Mapping[str, Tensor] = net(torch.zeros(1, 3, *size))
    except Exception as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{what} does not run on images of {size[0]}x{size[1]}: {cause}") from error
    net.train(training)
    for name, one in maps.items():
        if one.ndim != 4:
            raise UserError(
                f"{what}: {name} is {tuple(one.shape)}, not a map (N, C, h, w); choose another "
                "module or options (node, or gap_before_final_norm=False and the like)"
            )
    return {
        name: FeatureSpec(one.shape[1], 2 ** round(math.log2(size[0] / one.shape[2])))
        for name, one in maps.items()
    }
