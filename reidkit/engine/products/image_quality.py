"""How good composites are: Frechet distances, SSIM and LPIPS by torchmetrics, errors against truth.

Shapes: N images, H W pixels, D feature dims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from reidkit.engine.products.composite_truth import errors_against_truth
from reidkit.engine.products.composites import Composer
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.structures import ReIDBatch
from reidkit.utils.checkpoint import load_state

MISSING = (
    "image quality needs {}: python -m pip install 'torchmetrics>=1.4' torch-fidelity "
    "(torch-fidelity only for --inception)"
)
Pairs = NDArray[np.int64]


class ReIDFeatures(nn.Module):
    """A finished run's embedding as the feature network of a Frechet distance.

    Such a distance ranks generators by the eyes of that re-id network. It needs no foreign weights
    and must never be compared with an FID.

    Args:
        run: run folder.

    Shape:
        images (N, 3, H, W) uint8 -> (N, D) float32.
    """

    def __init__(self, run: str | Path):
        super().__init__()
        loaded = Run.open(run)
        self.model, self.size = loaded.model, tuple(loaded.cfg.input.size)
        blank = torch.zeros(1, 3, *self.size, dtype=torch.uint8)
        self.num_features = self(blank).shape[1]  # torchmetrics asks for it

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings, all parts joined."""
        if tuple(images.shape[2:]) != self.size:
            images = F.interpolate(images.float(), self.size, mode="bilinear", antialias=True)
            images = images.round().to(torch.uint8)
        return self.model.embed(ReIDBatch(images)).vectors.flatten(1).cpu()


def frechet(features: nn.Module | str | Path) -> Any:
    """torchmetrics' Frechet distance on a feature network.

    Args:
        features: a network of uint8 images, or the path of torch-fidelity's Inception weights,
            which makes it the FID.

    Raises:
        UserError: torchmetrics, torch-fidelity or the weights are missing.
    """
    fid = _torchmetrics("torchmetrics.image.fid").FrechetInceptionDistance
    if isinstance(features, nn.Module):
        return fid(feature=features, normalize=False, reset_real_features=False)
    if not Path(features).is_file():
        raise UserError(f"{features}: no such file of Inception weights")
    try:
        return fid(
            feature=2048,
            feature_extractor_weights_path=str(features),
            reset_real_features=False,
        )
    except ModuleNotFoundError:
        raise UserError(MISSING.format("torch-fidelity")) from None


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity of pairs of images (N, 3, H, W) uint8, per pair; 1 is equal."""
    image = _torchmetrics("torchmetrics.functional.image")
    similarity = image.structural_similarity_index_measure(
        first.float(), second.float(), data_range=255.0, reduction="none"
    )
    return torch.atleast_1d(similarity)


class LPIPS(nn.Module):
    """Learned perceptual distance with AlexNet, its ImageNet weights given by path.

    Args:
        weights: torchvision's AlexNet state dict; torchmetrics brings the linear layers.

    Shape:
        pairs of images (N, 3, H, W) uint8 -> (N,), 0 is equal.

    Raises:
        UserError: torchmetrics is missing, or weights of another network.

    Source:
        Zhang et al., arXiv 1801.03924.
    """

    def __init__(self, weights: str | Path):
        super().__init__()
        module = _torchmetrics("torchmetrics.functional.image.lpips")
        self.net = module._LPIPS(pretrained=True, net="alex", pnet_rand=True)  # linear layers only
        state = load_state(weights)
        for name, parameter in self.net.net.named_parameters():
            source = "features." + name.split(".", 1)[1]  # slice2.3.weight -> features.3.weight
            if source not in state or state[source].shape != parameter.shape:
                raise UserError(f"{weights}: no weights of torchvision's AlexNet ({source} lacks)")
            parameter.data.copy_(state[source])

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The distances."""
        scaled = (images.float() / 127.5 - 1 for images in (first, second))
        return self.net(*scaled).flatten()


class ImageQuality:
    """Numbers of a model's composites against the real crops that they are made from.

    Every real crop gives its appearance to ``copies`` composites, the structures are shuffled
    (the generation set of DG-Net). Similarities within an identity are of pairs of composites, or
    of real crops, of one appearance's identity: the lower, the more diverse. Of several
    measurements on the same crops, the first computes what is of the real crops alone.

    Args:
        features: run folder for the re-id Frechet distance; None leaves it out.
        inception: Inception weights for the FID; None leaves it out.
        lpips: AlexNet weights; None leaves LPIPS out.
        copies: composites per crop.
        seed: of shuffling and pairing.
        reader: data set of the crops, for errors against rendered composites where it has any.
    """

    def __init__(
        self,
        features: str | Path | None = None,
        inception: str | Path | None = None,
        lpips: str | Path | None = None,
        copies: int = 1,
        seed: int = 10,
        reader: Any = None,
    ):
        self.distances: dict[str, Any] = {}
        if features is not None:
            self.distances["re-id Frechet distance (not FID)"] = frechet(ReIDFeatures(features))
        if inception is not None:
            self.distances["FID"] = frechet(inception)
        self.similarities: dict[str, Callable] = {"SSIM": ssim}
        if lpips is not None:
            self.similarities["LPIPS"] = LPIPS(lpips)
        self.copies, self.seed, self.reader = copies, seed, reader
        self._real: dict[str, float] = {}

    def measure(self, composer: Composer) -> dict[str, float]:
        """Name -> number, for the model as it is now; the same composites are asked for each time.

        Args:
            composer: the model with its crops, the same crops in every call.
        """
        own = np.arange(len(composer.split))
        mates = within_identity(composer.split.identities, np.random.default_rng(self.seed))
        pairs = composer.pairs(self.copies, self.seed)
        composites = torch.cat(list(composer.composites(pairs)))
        real = torch.cat(list(_crops(composer, own)))
        rebuilt = torch.cat(list(composer.composites(np.stack([own, own], 1), label="rebuilding")))
        if not self._real:
            for metric in self.distances.values():
                _update(metric, real, True)
            for name, measured in self.similarities.items():
                self._real[name] = _mean(measured, real[mates[:, 0]], real[mates[:, 1]])
        numbers = {}
        for name, metric in self.distances.items():
            _update(metric, composites, False)
            numbers[name] = float(metric.compute())
            metric.reset()  # the real crops stay
        for name, measured in self.similarities.items():
            same = composites[mates[:, 0]], composites[mates[:, 1]]
            numbers[f"{name} within identity, composites"] = _mean(measured, *same)
            numbers[f"{name} within identity, real"] = self._real[name]
            numbers[f"{name} self-reconstruction"] = _mean(measured, rebuilt, real)
        return numbers | errors_against_truth(composer, self.reader, pairs, composites)


def first_run(needs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The first finished run that a config builds on: whose features judge its images.

    Args:
        needs: of the config, by role.
    """
    return next((need["run"] for need in needs.values() if need.get("run")), None)


def within_identity(identities: NDArray[np.int64], rng: np.random.Generator) -> Pairs:
    """Random pairs of rows of one identity, every row in one pair at most.

    Example:
        >>> pairs = within_identity(np.array([1, 2, 1, 2, 3]), np.random.default_rng(0))
        >>> sorted(sorted(pair) for pair in pairs.tolist())
        [[0, 2], [1, 3]]
    """
    pairs = []
    for person in np.unique(identities[identities > 0]):
        rows = rng.permutation(np.flatnonzero(identities == person))
        pairs.append(rows[: len(rows) // 2 * 2].reshape(-1, 2))
    return np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)


def _crops(composer: Composer, rows: NDArray[np.int64], size: int = 64) -> Iterator[Tensor]:
    for start in range(0, len(rows), size):
        yield composer.load(rows[start : start + size].tolist()).images


def _update(metric: Any, images: Tensor, real: bool) -> None:
    for part in images.split(64):
        metric.update(part, real=real)


def _mean(measured: Callable, first: Tensor, second: Tensor) -> float:
    parts = [
        measured(a, b) for a, b in zip(first.split(64), second.split(64), strict=True) if len(a)
    ]
    return float(torch.cat(parts).mean()) if parts else float("nan")


def _torchmetrics(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(MISSING.format("torchmetrics")) from None
