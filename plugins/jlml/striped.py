"""JLML's two branches on the map of any backbone, for networks that come with weights.

Shapes: N images, C channels, h w feature cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.registry import BACKBONES
from reidkit.structures import FeatureSpecs, ReIDBatch

from .backbone import BRANCHES, StripedSpec


@BACKBONES.register_module()
class StripedBackbone(nn.Module):
    """Any backbone whose default map is both branches' map: whole, and in stripes.

    An extension of ours: no weights exist for JLML's own network, whose branches share only their
    first layer. Here they share every layer of a network that has weights, and what is left of the
    method is its two feature layers, their separate losses and their sparsity.

    Args:
        name: the backbone, as ``model.backbone`` names it: "timm/tf_efficientnet_lite0".
        pretrained: its starting weights, as it takes them; None starts from random ones.
        options: its other options.
        branch: "joint", "global" or "local": which branches there are.
        stripes: number of equal stripes of the local branch; the map's rows must be a multiple.
        input_size: (height, width) of the images in pixels. Supplied by the framework.
        cameras: cameras of the training images, sorted. Supplied by the framework.
        settings: the settings of the run. Supplied by the framework.

    Shape:
        images (N, 3, H, W) float -> "local" and "global" (N, C, h, w), the same map.

    Raises:
        ValueError: ``branch`` outside the above.
        UserError: a backbone without a map, or one whose rows the stripes do not divide; options
            that it does not have; what the backbone itself raises.

    Source:
        None: ours.

    Example:
        >>> import torch
        >>> net = StripedBackbone("ResNet", options=dict(depth=10, width=8), input_size=(128, 64))
        >>> {name: tuple(x.shape) for name, x in net(torch.zeros(1, 3, 128, 64)).items()}
        {'local': (1, 64, 8, 4), 'global': (1, 64, 8, 4)}
        >>> net.specs["local"].stripes
        4
    """

    def __init__(
        self,
        name: str = "ResNet",
        pretrained: str | None = None,
        options: Mapping[str, Any] | None = None,
        branch: str = "joint",
        stripes: int = 4,
        input_size: tuple[int, int] = (256, 128),
        cameras: Sequence[int] = (),
        settings: Mapping | None = None,
    ):
        super().__init__()
        if branch not in BRANCHES:
            raise ValueError(f"StripedBackbone: branch must be one of {BRANCHES}, got {branch!r}")
        supply = dict(input_size=tuple(input_size), cameras=tuple(cameras), settings=settings)
        cfg = dict(type=name, pretrained=pretrained, **(options or {}))
        try:
            self.body: Any = BACKBONES.build(cfg, supply)
        except TypeError as error:
            if not options:
                raise
            raise UserError(
                f"{error}; this network's own: model.backbone.options=..., or none: "
                "~model.backbone.options"
            ) from None
        self.map_name = FeatureSpecs(self.body.specs, self.body.default).pick("map")
        self.loaded = getattr(self.body, "loaded", None)
        spec = self.body.specs[self.map_name]
        rows = spec.map_size(tuple(input_size))[0]
        if branch != "global" and rows % stripes:
            raise UserError(
                f"StripedBackbone: {name} gives {rows} rows for images {input_size[0]} pixels high "
                f"(input.size), which is no multiple of {stripes} stripes"
            )
        given = {
            "local": StripedSpec(spec.channels, spec.stride, stripes=stripes),
            "global": spec,
        }
        self.specs = {name: s for name, s in given.items() if branch in ("joint", name)}
        self.default = list(self.specs)[-1]
        self.branches = tuple(self.specs)

    def layers(self) -> list[list[nn.Parameter]]:
        """Those of the backbone."""
        return self.body.layers()

    def forward(self, images: Tensor, batch: ReIDBatch | None = None) -> dict[str, Tensor]:
        """The backbone's map under the name of each branch that there is."""
        shared = self.body(images, batch)[self.map_name]
        return dict.fromkeys(self.specs, shared)
