"""The model of a gallery: what makes embeddings and compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher
from reidkit.evaluation.open_set import OpenSet
from reidkit.gallery.manifest import Manifest
from reidkit.structures import Embedding

STEP = 4096  # images looked at together


class EmbeddingModel(Protocol):
    """What a gallery asks of a model; ``reidkit.load`` gives one.

    Attributes:
        fingerprint: tells it from every other: equal ones give equal embeddings and distances.
        name: for people.
        matcher: compares embeddings.
        open_set: what thresholds come from, or None.
    """

    @property
    def fingerprint(self) -> str:
        """See above."""

    @property
    def name(self) -> str:
        """See above."""

    @property
    def matcher(self) -> Any:
        """See above."""

    @property
    def open_set(self) -> OpenSet | None:
        """See above."""

    def __call__(self, images: Any, batch_size: int = 64, cameras: Any = None) -> Embedding:
        """Embeddings of crops."""
        ...


@dataclass
class EmbeddingsOnly:
    """A model that is run elsewhere: a gallery of its embeddings takes no crops.

    Args:
        fingerprint: name and version of what makes the embeddings.
        matcher: compares them.
        open_set: of `reidkit.evaluation.open_set.open_set`, or None.

    Example:
        >>> from reidkit.evaluation import CosineMatcher
        >>> EmbeddingsOnly("my-network 3", CosineMatcher()).name
        'my-network 3'
    """

    fingerprint: str
    matcher: Matcher
    open_set: OpenSet | None = None

    @property
    def name(self) -> str:
        """The fingerprint."""
        return self.fingerprint

    def __call__(self, images: Any, batch_size: int = 64, cameras: Any = None) -> Embedding:
        """Refuse.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"{self.name} embeds elsewhere: give its Embedding with model={self.fingerprint!r}"
        )


def embedded(
    model: EmbeddingModel, crops: Any, cameras: Any, origin: str | None, batch_size: int
) -> Embedding:
    """Embeddings of crops, or those given, as a gallery keeps them: float32, on the CPU, finite.

    Args:
        model: of the gallery.
        crops: images, or an `Embedding`.
        cameras: of the crops, or None.
        origin: fingerprint of the model that an `Embedding` comes from.
        batch_size: crops in one forward pass.

    Raises:
        UserError: embeddings of another model, or of one that is not named.
        ValueError: numbers that are NaN or infinite.
    """
    if isinstance(crops, Embedding):
        if origin is None:
            raise UserError(
                "an Embedding does not say which model made it: give its fingerprint, "
                "model=extractor.fingerprint"
            )
        if origin != model.fingerprint:
            raise UserError(_other(model.fingerprint, origin))
        made = crops
    else:
        made = model(crops, batch_size, cameras=cameras)
    tensors = {n: t.detach().float().cpu().contiguous() for n, t in made._tensors().items()}
    for name, tensor in tensors.items():
        for rows in torch.arange(len(tensor)).split(STEP):
            bad = ~torch.isfinite(tensor[rows[0] : rows[-1] + 1].flatten(1)).all(1)
            if bad.any():
                row = int(rows[bad][0])
                raise ValueError(f"{name} of image {row} is NaN or infinite")
    return Embedding(**tensors)


def check_model(manifest: Manifest, fingerprint: str, name: str) -> None:
    """Refuse a model that a gallery does not hold embeddings of.

    Raises:
        UserError: it is another one.
    """
    if manifest.model != fingerprint:
        raise UserError(
            f"this gallery holds embeddings of {manifest.model_name or 'another model'} "
            f"({manifest.model[:12]}), not of {name} ({fingerprint[:12]}); their distances would "
            "mean nothing: open it with its own model, or enrol its people into a new gallery"
        )


def check_shapes(manifest: Manifest, embedding: Embedding) -> dict[str, list[int]]:
    """The shapes of one image's tensors, which must be those of the gallery.

    Raises:
        UserError: others.
    """
    shapes = {name: list(t.shape[1:]) for name, t in embedding._tensors().items()}
    if manifest.shapes and manifest.shapes != shapes:
        raise UserError(
            f"this gallery holds {_shown(manifest.shapes)}; these embeddings are {_shown(shapes)}"
        )
    return shapes


def joined(embedding: Embedding, tracklets: Any) -> tuple[Embedding, np.ndarray]:
    """One embedding per tracklet, and the first row of each, in the order of their first rows.

    Args:
        embedding: of N crops.
        tracklets: (N,) what each crop's tracklet is called.

    Raises:
        ValueError: not one name per crop.
    """
    names = np.asarray(tracklets)
    if names.shape != (len(embedding),):
        raise ValueError(f"{len(embedding)} crops need as many tracklets, got {names.shape}")
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    turn = np.argsort(np.argsort(first))
    return embedding.join(torch.from_numpy(turn[group])), np.sort(first)


def _other(own: str, given: str) -> str:
    return (
        f"embeddings of another model ({given[:12]}); this gallery holds those of {own[:12]}, and "
        "distances between the two mean nothing"
    )


def _shown(shapes: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, size))}" for name, size in shapes.items())
