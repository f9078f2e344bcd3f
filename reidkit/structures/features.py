"""What a backbone gives: the kind, width and stride of each feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureSpec:
    """Width, kind and stride of one feature, so that heads never need these numbers in a config.

    Args:
        channels: number of channels C.
        stride: of a map, image pixels per feature cell: one number, or (vertical, horizontal).
        kind: "map" (N, C, h, w), "tokens" (N, L, C) or "vector" (N, C).

    Raises:
        ValueError: an unknown kind; a map without a stride, or anything else with one.

    Example:
        >>> FeatureSpec(channels=2048, stride=16).map_size((250, 128))
        (16, 8)
        >>> FeatureSpec(channels=256, stride=(16, 32)).map_size((256, 128))
        (16, 4)
        >>> FeatureSpec(384, kind="vector").channels
        384
    """

    channels: int
    stride: int | tuple[int, int] | None = None
    kind: str = "map"

    def __post_init__(self) -> None:
        if self.kind not in ("map", "tokens", "vector"):
            raise ValueError(f"FeatureSpec.kind is map, tokens or vector, got {self.kind!r}")
        if (self.kind == "map") == (self.stride is None):
            raise ValueError(f"FeatureSpec: {self.kind} with stride {self.stride}; maps have one")

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the map of an image of (height, width) pixels, both rounded up.

        Raises:
            ValueError: not a map.
        """
        if self.stride is None:
            raise ValueError(f"{self.kind} have no map size")
        down, across = (self.stride,) * 2 if isinstance(self.stride, int) else self.stride
        return -(-size[0] // down), -(-size[1] // across)


class FeatureSpecs(dict[str, FeatureSpec]):
    """The specs of everything that a backbone gives, and which of it heads take by default.

    Args:
        specs: name -> FeatureSpec.
        default: one of the names; None: the last one.

    Example:
        >>> token = FeatureSpec(8, kind="vector")
        >>> specs = FeatureSpecs({"map": FeatureSpec(8, 16), "class": token})
        >>> specs.default, specs.pick("map"), specs.pick("map", "vector")
        ('class', 'map', 'class')
    """

    def __init__(self, specs: Mapping[str, FeatureSpec], default: str | None = None):
        super().__init__(specs)
        self.default = list(specs)[-1] if default is None else default
        if self.default not in self:
            raise ValueError(f"FeatureSpecs: no feature {self.default!r} among {list(specs)}")

    def pick(self, *kinds: str, name: str | None = None) -> str:
        """The name of the feature that a head is to take.

        The one that is named; else the default where it is of a kind that the head knows; else the
        last one that is.

        Args:
            kinds: that the head knows ("map", "tokens", "vector").
            name: of a feature, as an option of the head; None leaves the choice open.

        Raises:
            ValueError: no such feature, or none of these kinds.
        """
        known = ", ".join(f"{n} ({s.kind})" for n, s in self.items())
        if name is not None and (name not in self or self[name].kind not in kinds):
            raise ValueError(f"no {' or '.join(kinds)} named {name!r}; the backbone gives {known}")
        fitting = [n for n, spec in self.items() if spec.kind in kinds]
        if not fitting:
            raise ValueError(f"wants a {' or '.join(kinds)}; the backbone gives only {known}")
        return name or (self.default if self.default in fitting else fitting[-1])


def pick_feature(features: Mapping[str, FeatureSpec], *kinds: str, name: str | None = None) -> str:
    """``FeatureSpecs.pick`` of any mapping of specs; the default of a plain one is its last name.

    Args:
        features: name -> FeatureSpec.
        kinds: that the head knows.
        name: of a feature; None leaves the choice open.
    """
    specs = features if isinstance(features, FeatureSpecs) else FeatureSpecs(features)
    return specs.pick(*kinds, name=name)
