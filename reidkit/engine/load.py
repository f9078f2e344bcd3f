"""A run or its checkpoint back as a model that takes images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from reidkit.config import prepare_config
from reidkit.engine.build import build_model, classifier_names
from reidkit.engine.devices import choose_device, start_processes
from reidkit.engine.domains import Domains
from reidkit.engine.folder import CHECKPOINT
from reidkit.errors import UserError
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding, ReIDBatch
from reidkit.utils.checkpoint import load_state


@dataclass
class LoadedRun:
    """A run read back: its config, the model in eval mode on its device, and its data."""

    cfg: Config
    model: Any
    domains: Domains


def load_run(
    folder: str | Path, overrides: Sequence[str] = (), launcher: str = "none"
) -> LoadedRun:
    """Read a run folder: config, plugins, weights.

    Args:
        folder: holds ``config.py`` and ``checkpoints/last.pth``.
        overrides: as on the command line.
        launcher: how several processes were started, as ``start_processes``.

    Raises:
        UserError: not a run folder, or weights that do not fit its config, or a matcher that
            learns and that this run did not train.
    """
    folder = Path(folder)
    for needed in ("config.py", CHECKPOINT):
        if not (folder / needed).is_file():
            raise UserError(f"{folder}: not a run folder, it has no {needed}")
    cfg = prepare_config(folder / "config.py", list(overrides))
    device = choose_device(cfg.settings.device)
    start_processes(launcher, device)
    state = load_state(folder / CHECKPOINT)
    changes = [text for text in overrides if text.lstrip("+~").startswith(("model.", "input."))]
    model = build_model(cfg, None, num_identities=_num_identities(cfg, state))
    state = _with_matcher(state, model, cfg, folder / CHECKPOINT)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        if changes:
            raise UserError(_unfit(state, model, folder, changes)) from None
        raise UserError(f"{folder / CHECKPOINT}: does not fit config.py: {error}") from None
    return LoadedRun(cfg, model.to(device).eval(), Domains(cfg, device))


def _unfit(state: dict[str, Tensor], model: nn.Module, folder: Path, changes: Sequence[str]) -> str:
    """The first weight that does not fit a model that overrides have changed, and what to do."""
    sides = [{n: tuple(t.shape) for n, t in side.items()} for side in (state, model.state_dict())]
    names = list(dict.fromkeys([*sides[1], *sides[0]]))
    first = next((n for n in names if sides[0].get(n) != sides[1].get(n)), "")
    kept, asked = (side.get(first, "none") for side in sides)
    drop = "that override, or train with it"
    if len(changes) > 1:
        drop = "those overrides, or train with them"
    return (
        f"the weights of {folder} do not fit {' '.join(changes)} (first: {first}: {kept} in the "
        f"run, {asked} asked for); drop {drop}"
    )


def _with_matcher(
    state: dict[str, Tensor], model: nn.Module, cfg: Config, checkpoint: Path
) -> dict[str, Tensor]:
    """The weights of a run for a model that may have been given another matcher.

    Raises:
        UserError: the matcher has weights that the run does not.
    """
    own = model.state_dict()
    lacking = [name for name in own if name.startswith("matcher.") and name not in state]
    if lacking:
        raise UserError(
            f"{checkpoint}: holds no weights for model.matcher={cfg.model.matcher.type} (first: "
            f"{lacking[0]}), because this run did not train it\n"
            "  train a run with it and with losses that it learns from, or test with a matcher "
            f"that has no weights: {', '.join(_without_weights(cfg.get('plugins', [])))}"
        )
    return {n: t for n, t in state.items() if n in own or not n.startswith("matcher.")}


def _without_weights(plugins: Sequence[str]) -> list[str]:
    """The matchers of the core and of some plugins that do not learn."""
    return [
        name
        for name in MATCHERS.names()
        if ("/" not in name or name.partition("/")[0] in plugins)
        and not hasattr(MATCHERS.get(name), "scores")
    ]


def _num_identities(cfg: Config, state: dict) -> int:
    """The number of training identities, read off the axis along which classifiers grow with it."""
    one, two = (build_model(cfg, None, num_identities=k) for k in (1, 2))
    sizes = [{name: t.shape for name, t in model.state_dict().items()} for model in (one, two)]
    for name in sorted(classifier_names(one) & set(state)):
        shapes = sizes[0][name], sizes[1][name]
        grown = [axis for axis, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b]
        if grown:
            return int(state[name].shape[grown[0]])
    return 1


class Extractor:
    """Images in, embeddings out: the trained model of one run.

    Args:
        folder: the run folder.

    Example:
        >>> extractor = Extractor("runs/eanet-pcb-synthped-quick-s0")  # doctest: +SKIP
        >>> extractor(list_of_rgb_crops).vectors.shape                 # doctest: +SKIP
        torch.Size([8, 6, 64])
    """

    def __init__(self, folder: str | Path):
        run = load_run(folder)
        self.cfg, self.model, self.matcher = run.cfg, run.model, run.model.matcher
        self._domains = run.domains

    def __call__(self, images: Sequence[np.ndarray], batch_size: int = 64) -> Embedding:
        """Embed crops, with keypoints from the run's labeller where the method pools by them.

        Args:
            images: (H, W, 3) uint8 RGB arrays of any size.
            batch_size: crops in one forward pass.

        Raises:
            ValueError: no images, or one that is not (H, W, 3) uint8.
        """
        import cv2

        if not images:
            raise ValueError("Extractor needs at least one image")
        for i, image in enumerate(images):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(
                    f"image {i} must be (H, W, 3) uint8, got {image.shape} {image.dtype}"
                )
        height, width = self.cfg.input.size
        points = None
        if "keypoints" in self.cfg.labels.get("test", []):
            points = torch.from_numpy(np.asarray(self._domains._labeller().label(list(images))))
        sizes = torch.tensor([image.shape[:2] for image in images])
        resized = np.stack([cv2.resize(image, (width, height)) for image in images])
        pixels = torch.from_numpy(resized).permute(0, 3, 1, 2)
        parts = []
        for i in range(0, len(images), batch_size):
            rows = slice(i, i + batch_size)
            keypoints = None if points is None else points[rows].double()
            parts.append(
                self.model.embed(
                    ReIDBatch(pixels[rows], keypoints=keypoints, image_sizes=sizes[rows])
                ).cpu()
            )
        return Embedding.cat(parts)
