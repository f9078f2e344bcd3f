"""Viewpoint as side information: a data set that brings it, a head that guesses it, their loss.

TransReID tells the network the viewpoint of vehicles. Here the network learns it of people: during
training an auxiliary head reads it off the embedding's feature. The test needs no viewpoints.

Shape letters: N images, C channels, V viewpoints, M crops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.data import Split, Trial
from reidkit.registry import DATASETS, HEADS, LOSSES
from reidkit.structures import FeatureSpec, HeadOutput, ReIDBatch, pick_feature

VIEWPOINTS = ("front", "side", "back")


def viewpoints(heading: NDArray[np.float64]) -> NDArray[np.int64]:
    """Viewpoint of people by the direction that they face; left and right are one, as in a mirror.

    Args:
        heading: degrees: 0 towards the camera, 90 to the image's right.

    Shape:
        heading (M,) -> (M,) int64: place in ``VIEWPOINTS``.

    Example:
        >>> viewpoints(np.array([10.0, 85.0, -100.0, 180.0, 350.0])).tolist()
        [0, 1, 1, 2, 0]
    """
    quarter = np.round(np.asarray(heading) / 90).astype(np.int64) % 4
    return np.minimum(quarter, 4 - quarter)


@DATASETS.register_module()
class SynthPedViewpoints:
    """SynthPed whose training split brings the label "viewpoint" of every crop.

    Query and gallery bring none: nothing of the test can come to depend on it.

    Args:
        data_root: the folder in which all data sets lie. Supplied by the framework.
        domain, preset, style, seed: see ``SynthPed``.
        settings: the settings of the run. Supplied by the framework.
    """

    labels = ("viewpoint",)

    def __init__(
        self,
        data_root: str,
        domain: str = "A",
        preset: str = "standard",
        style: str | None = None,
        seed: int = 0,
        settings: Mapping | None = None,
    ):
        self.data_root = data_root
        plain = dict(type="SynthPed", domain=domain, preset=preset, style=style, seed=seed)
        self.reader = DATASETS.build(plain, dict(data_root=data_root, settings=settings))
        self.name, self.protocol = self.reader.name, self.reader.protocol

    def prepare(self) -> None:
        """Render the data where it is missing."""
        self.reader.prepare()

    def splits(self) -> dict[str, Split]:
        """SynthPed's splits; "train" has ``labels["viewpoint"]``, (M,) int64."""
        splits = dict(self.reader.splits())
        seen = viewpoints(self.reader.truth("train")["heading"])
        splits["train"] = replace(splits["train"], labels={"viewpoint": seen})
        return splits

    def expected(self, split: str) -> tuple[int, int] | None:
        """Rows and identities of a split, where they are known before it is read."""
        return self.reader.expected(split)

    def trials(self) -> tuple[Trial, ...]:
        """One test."""
        return ()

    def describe(self) -> list[str]:
        """What was found, for people."""
        return self.reader.describe()


@HEADS.register_module()
class ViewpointHead(nn.Module):
    """Logits of the viewpoint, straight from a feature of the backbone: an auxiliary head.

    Args:
        features: specs of what the backbone gives. Supplied by the framework.
        feature: name of the vector or map that is read; None: the backbone's default.
        viewpoints: number V of viewpoints.

    Shape:
        feature (N, C), or (N, C, h, w), which is averaged -> view_logits (N, V).

    Example:
        >>> import torch
        >>> head = ViewpointHead({"class": FeatureSpec(8, kind="vector")})
        >>> head({"class": torch.rand(2, 8)}, None).outputs["view_logits"].shape
        torch.Size([2, 3])
    """

    gives = ("view_logits",)

    def __init__(
        self,
        features: dict[str, FeatureSpec],
        feature: str | None = None,
        viewpoints: int = len(VIEWPOINTS),
    ):
        super().__init__()
        self.feature = pick_feature(features, "vector", "map", name=feature)
        self.classifier = nn.Linear(features[self.feature].channels, viewpoints)

    def forward(self, features: dict[str, Tensor], batch: ReIDBatch | None) -> HeadOutput:
        """The logits; the batch is not looked at."""
        feature = features[self.feature]
        vector = feature.mean((2, 3)) if feature.ndim == 4 else feature
        return HeadOutput(outputs={"view_logits": self.classifier(vector)})


@LOSSES.register_module()
class ViewpointLoss(nn.Module):
    """Cross-entropy of the viewpoint; ``accuracy`` is the share that was guessed, for the log.

    Shape:
        view_logits (N, V) float; viewpoint (N,) int64 in [0, V); returns ().

    Example:
        >>> import torch
        >>> loss = ViewpointLoss()
        >>> loss(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([0, 1]))
        tensor(0.8955)
        >>> loss.accuracy
        tensor(0.5000)
    """

    def __init__(self) -> None:
        super().__init__()
        self.accuracy: Tensor | None = None

    def forward(self, view_logits: Tensor, viewpoint: Tensor) -> Tensor:
        """The mean over the images."""
        self.accuracy = (view_logits.detach().argmax(1) == viewpoint).float().mean()
        return F.cross_entropy(view_logits, viewpoint)
