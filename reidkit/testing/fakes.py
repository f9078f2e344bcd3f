"""Fake batches, feature maps and embeddings: random, seeded, with everything a part may need.

Shape letters: N images, R regions, P parts, D dims, C channels, h w feature cells, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.data.split import Split
from reidkit.evaluation.labelled import LabelledEmbeddings
from reidkit.structures import Embedding, FeatureSpec, FeatureSpecs, Field, ReIDBatch

CHANNELS = 16
STRIDE = 8
REGIONS = 9


def fake_batch(
    n: int = 8,
    size: tuple[int, int] = (192, 64),
    identities: int = 4,
    cell: int = STRIDE,
    seed: int = 0,
) -> ReIDBatch:
    """A batch in which every field is filled as the loader and EANet-like transforms fill it.

    Args:
        n: number of images N.
        size: (height, width) in pixels, multiples of ``cell``.
        identities: number of identities K; each has n / K images, neighbours in the batch.
        cell: pixels per cell of masks and part map.
        seed: of everything random.

    Shape:
        images (N, 3, H, W) uint8, masks (N, 9, h, w) bool, part_map (N, h, w) int64, ...

    Example:
        >>> batch = fake_batch(4, identities=2)
        >>> batch.identities.tolist(), batch.images.dtype, batch["masks"].shape
        ([0, 0, 1, 1], torch.uint8, torch.Size([4, 9, 24, 8]))
    """
    source = torch.Generator().manual_seed(seed)
    height, width = size
    h, w = height // cell, width // cell
    stored = torch.tensor([128, 64])  # (height, width) of the crops before resizing
    keypoints = torch.rand(n, 17, 3, generator=source, dtype=torch.float64)
    keypoints[:, :, :2] *= stored.flip(0)
    visibility = torch.rand(n, REGIONS, generator=source) < 0.8
    visibility[:, -1] = True
    masks = torch.rand(n, REGIONS, h, w, generator=source) < 0.5
    masks[:, :, 0, 0] = True
    return ReIDBatch(
        images=torch.randint(0, 256, (n, 3, height, width), generator=source, dtype=torch.uint8),
        identities=torch.arange(n) * identities // n,
        cameras=torch.arange(n) % 2,
        times=torch.arange(n, dtype=torch.float64),
        indices=torch.arange(n),
        paths=[f"{i:04d}.jpg" for i in range(n)],
        domain="source",
        generator=torch.Generator().manual_seed(seed + 1),
        fields={
            "image_sizes": Field(stored.repeat(n, 1)),
            "keypoints": Field(keypoints),
            "part_map": Field(torch.randint(0, 8, (n, h, w), generator=source), grid=True),
            "masks": Field(masks & visibility[:, :, None, None], grid=True),
            "visibility": Field(visibility.float()),
        },
    )


def fake_images(n: int = 8, size: tuple[int, int] = (192, 64), seed: int = 0) -> ReIDBatch:
    """A batch as the loader gives it to a method that asks for no part labels.

    Args:
        n: number of images N.
        size: (height, width) in pixels.
        seed: of everything random.

    Example:
        >>> batch = fake_images(2, (64, 32))
        >>> batch.images.shape, list(batch.fields)
        (torch.Size([2, 3, 64, 32]), ['image_sizes'])
    """
    whole = fake_batch(n, size, seed=seed, cell=1)
    return replace(whole, fields={"image_sizes": whole.fields["image_sizes"]})


def fake_video(
    b: int = 4, t: int = 3, size: tuple[int, int] = (64, 32), identities: int = 2, seed: int = 0
) -> ReIDBatch:
    """A batch of tracklets: T neighbouring frames each, which change little by little.

    Args:
        b: number of tracklets B.
        t: frames T of each.
        size: (height, width) in pixels.
        identities: number of identities; each has B / identities tracklets.
        seed: of everything random.

    Shape:
        images (B, T, 3, H, W) uint8; identities, cameras, indices, times (B,).

    Example:
        >>> fake_video(2, 3).images.shape
        torch.Size([2, 3, 3, 64, 32])
    """
    source = torch.Generator().manual_seed(seed)
    first = torch.randint(20, 236, (b, 1, 3, *size), generator=source)
    drift = torch.randint(-4, 5, (b, t, 3, *size), generator=source).cumsum(1)
    return ReIDBatch(
        images=(first + drift).clamp(0, 255).to(torch.uint8),
        identities=torch.arange(b) * identities // b,
        cameras=torch.arange(b) % 2,
        indices=torch.arange(b),
        paths=[f"{i:04d}" for i in range(b)],
        domain="source",
        times=torch.arange(b, dtype=torch.float64),
        generator=torch.Generator().manual_seed(seed + 1),
        frames=t,
    )


def fake_domains(
    names: Sequence[str] = ("source", "target"), n: int = 8, size: tuple[int, int] = (192, 64)
) -> dict[str, ReIDBatch]:
    """What one training step gets: a batch of every domain, each with part labels.

    Example:
        >>> {name: batch.domain for name, batch in fake_domains(n=2).items()}
        {'source': 'source', 'target': 'target'}
    """
    return {name: replace(fake_batch(n, size, seed=i), domain=name) for i, name in enumerate(names)}


def fake_split(
    name: str,
    identities: Sequence[int] | np.ndarray,
    cameras: Sequence[int] | np.ndarray,
    times: bool = True,
) -> Split:
    """A split without files: for evaluators and samplers.

    Args:
        name: "train", "query" or "gallery".
        identities: of each crop.
        cameras: of each crop.
        times: whether crops have times, one second apart.

    Example:
        >>> len(fake_split("query", [1, 2], [1, 1]))
        2
    """
    count = len(identities)
    paths = tuple(
        f"{name}/{i:04d}_c{c}s1_{row:06d}_00.jpg"
        for row, (i, c) in enumerate(zip(identities, cameras, strict=True))
    )
    seconds = np.arange(count, dtype=float) if times else None
    return Split(
        "fake", name, Path("fake"), paths, np.array(identities), np.array(cameras), seconds
    )


def fake_features(
    n: int = 8, size: tuple[int, int] = (192, 64), seed: int = 0
) -> tuple[FeatureSpecs, dict[str, Tensor]]:
    """Specs and features of a backbone with everything that one may give.

    Two maps, of which the deeper one matches ``fake_batch`` and is the default, and the deeper
    one's cells as tokens with a class token.

    Example:
        >>> specs, features = fake_features(2)
        >>> specs.default, features["deep"].shape, features["tokens"].shape
        ('deep', torch.Size([2, 16, 24, 8]), torch.Size([2, 192, 16]))
    """
    source = torch.Generator().manual_seed(seed)
    specs = {
        "shallow": FeatureSpec(CHANNELS // 2, STRIDE // 2),
        "deep": FeatureSpec(CHANNELS, STRIDE),
    }
    features = {
        name: torch.rand(n, spec.channels, *spec.map_size(size), generator=source)
        for name, spec in specs.items()
    }
    features["tokens"] = features["deep"].flatten(2).transpose(1, 2).clone()
    features["class"] = torch.rand(n, CHANNELS, generator=source)
    specs["tokens"] = FeatureSpec(CHANNELS, kind="tokens")
    specs["class"] = FeatureSpec(CHANNELS, kind="vector")
    return FeatureSpecs(specs, "deep"), {n: one.requires_grad_() for n, one in features.items()}


def fake_embedding(n: int = 6, parts: int = REGIONS, dims: int = 8, seed: int = 0) -> Embedding:
    """Random part vectors with visibility, and feature maps.

    Example:
        >>> fake_embedding(2).vectors.shape
        torch.Size([2, 9, 8])
    """
    source = torch.Generator().manual_seed(seed)
    visibility = (torch.rand(n, parts, generator=source) < 0.8).float()
    visibility[:, -1] = 1.0
    return Embedding(
        vectors=torch.randn(n, parts, dims, generator=source),
        visibility=visibility,
        maps=torch.rand(n, CHANNELS, 24, 8, generator=source),
    )


def labelled(
    embeddings: Sequence[Embedding], splits: Sequence[Split]
) -> tuple[LabelledEmbeddings, LabelledEmbeddings]:
    """Query and gallery as an evaluator takes them."""
    query, gallery = (
        LabelledEmbeddings.of(embedding, split, name)
        for embedding, split, name in zip(embeddings, splits, ("query", "gallery"), strict=True)
    )
    return query, gallery


class FakeMatcher(nn.Module):
    """A matcher with everything that one may have: distances, and scores with gradients.

    Example:
        >>> FakeMatcher()(fake_embedding(2), fake_embedding(3)).shape
        torch.Size([2, 3])
    """

    bounds = (0.0, 1.0)

    def scores(self, query: Embedding, gallery: Embedding) -> Tensor:
        """Inner products of the maps' mean cells."""
        q, g = (e.maps.flatten(2).mean(2) for e in (query, gallery) if e.maps is not None)
        return q @ g.T

    def forward(self, query: Embedding, gallery: Embedding) -> Tensor:
        """Half of one minus the cosine of all parts together, in [0, 1]."""
        return _half_cosine_distance(query, gallery)


class UnitMatcher(nn.Module):
    """Half of one minus the cosine of all parts together, in [0, 1]."""

    bounds = (0.0, 1.0)

    def forward(self, query: Embedding, gallery: Embedding) -> Tensor:
        return _half_cosine_distance(query, gallery)


def _half_cosine_distance(query: Embedding, gallery: Embedding) -> Tensor:
    vectors = (e.vectors.flatten(1) for e in (query, gallery) if e.vectors is not None)
    q, g = (nn.functional.normalize(one) for one in vectors)
    return ((1 - q @ g.T) / 2).clamp(0.0, 1.0)


class FakeLiveModel:
    """What a sampler's ``refresh`` is shown: an embedding of any rows, and a matcher.

    Example:
        >>> len(FakeLiveModel().embed([3, 5]))
        2
    """

    def __init__(self) -> None:
        self.matcher = FakeMatcher()

    def embed(self, rows: Sequence[int]) -> Embedding:
        """Random embeddings, one per row."""
        return fake_embedding(len(rows))
