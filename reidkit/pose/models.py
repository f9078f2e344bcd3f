"""Any top-down mmpose model by name: the shipped one, a config of mmpose, or a config file."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reidkit.errors import UserError
from reidkit.pose.checkpoint import load_weights
from reidkit.pose.compat import load_mmpose, quiet
from reidkit.pose.small_config import small_config
from reidkit.pose.zoo import SHORT, fetch, find_weights

SHIPPED = "synthped"
POSE_FOLDER = Path("data", "pose")
SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "synthped.safetensors"


@dataclass(frozen=True)
class PoseSpec:
    """Which model and which weights, resolved to files but not yet opened.

    Args:
        name: the config's name, as printed and stored with labels.
        config_file: its file; None for the shipped model.
        weights: the checkpoint; None for random weights (speed trials and tests only).
        address: where the checkpoint is published, if it is not here and would be fetched.
        folder: of checkpoints that people put there by hand.
    """

    name: str
    config_file: Path | None
    weights: Path | None
    address: str | None = None
    folder: Path = POSE_FOLDER

    def fetched(self) -> PoseSpec:
        """The same with its weights here.

        Raises:
            UserError: they are not, and cannot be fetched.
        """
        if self.address is not None and self.weights is not None:
            fetch(self.weights, self.address, self.folder)
        return self


@cache
def _mmpose_root() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("mmpose")  # does not import it
    if spec is None or spec.origin is None:
        raise UserError("part labels need mmpose, which is not installed")
    return Path(spec.origin).parent / ".mim"


@cache
def config_files() -> dict[str, Path]:
    """Names of mmpose's own 2-D top-down body configs and their files."""
    files = sorted((_mmpose_root() / "configs" / "body_2d_keypoint").rglob("*.py"))
    return {file.stem: file for file in files}


def official_weights(name: str) -> str | None:
    """Where mmpose publishes weights for one of its configs, as its own index says.

    Example:
        >>> official_weights("no-such-config") is None
        True
    """
    import yaml

    file = config_files().get(name)
    for index in sorted(file.parent.glob("*.yml")) if file else []:
        for entry in yaml.safe_load(index.read_text()).get("Models", []):
            if Path(entry.get("Config", "")).stem == name:
                return entry.get("Weights")
    return None


def resolve(
    config: str, checkpoint: str | Path | None, folder: Path | str = POSE_FOLDER
) -> PoseSpec:
    """Find the files of a model without importing mmpose and without a network.

    Args:
        config: "synthped" (shipped), a short name of ``zoo.SHORT``, the name of a config of mmpose,
            or the path of one.
        checkpoint: a ``.pth`` or ``.safetensors`` file, or "random" (speed trials, tests). None:
            the shipped or official weights of the config.
        folder: of official weights that were put there by hand.

    Raises:
        UserError: unknown config, with the nearest names; a package that its network needs; a
            checkpoint that is missing, or not given for a config that has no official one.
    """
    file, config = None, SHORT.get(config, config)
    if config != SHIPPED:
        given = Path(config)
        file = given if given.suffix == ".py" else config_files().get(config)
        if file is None or not file.is_file():
            names = [SHIPPED, *SHORT, *config_files()]
            near = difflib.get_close_matches(config, names, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            path = f"; short names: {SHIPPED}, {', '.join(SHORT)}; or the path of an mmpose config"
            raise UserError(f"no pose config {config!r}{hint}{path}")
        _refuse_without_package(config, file)
    if checkpoint == "random":
        return PoseSpec(config, file, None)
    if checkpoint is None and config == SHIPPED:
        return PoseSpec(config, file, SHIPPED_WEIGHTS)
    if checkpoint is not None:
        if not Path(checkpoint).is_file():
            raise UserError(f"{checkpoint}: no such checkpoint file")
        return PoseSpec(config, file, Path(checkpoint))
    address = official_weights(config)
    if address is None:
        raise UserError(f"pose config {config!r} needs a checkpoint file, and mmpose names none")
    weights = find_weights(config, address, Path(folder))
    return PoseSpec(config, file, weights, None if weights.is_file() else address, Path(folder))


def _refuse_without_package(config: str, file: Path) -> None:
    """Refuse a network that lies in a package which is not installed."""
    import importlib.util

    text = file.read_text(encoding="utf-8", errors="replace")
    for package in ("mmpretrain", "mmdet3d"):
        if re.search(rf"type='{package}\.", text) and importlib.util.find_spec(package) is None:
            raise UserError(
                f"pose config {config!r} has a network of {package}, which is not installed: pip "
                f"install {package}; without it: rtmpose-m or hrnet-w32"
            )


def load_config(spec: PoseSpec) -> Any:
    """The mmengine Config of a model, with the two changes a plain installation needs."""
    from mmengine.config import Config

    with quiet():
        if spec.config_file is None:
            return Config(small_config())
        config = Config.fromfile(spec.config_file)
    backbone = config.model.backbone
    if backbone.get("_scope_") == "mmdet" and backbone.type == "CSPNeXt":
        backbone._scope_ = "mmpose"  # mmpose carries its own; mmdet is not needed
    backbone.init_cfg = None  # never fetch weights
    return config


def config_digest(config: Any) -> str:
    """sha256 of what decides the labels: the model and how crops enter it."""
    parts = [config.model, config.test_dataloader.dataset.pipeline]
    text = json.dumps([_plain(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k not in ("init_cfg", "train_cfg")}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)


def build_model(spec: PoseSpec, device: str | torch.device = "cpu") -> tuple[nn.Module, Any]:
    """Build the mmpose model with its weights, in eval mode.

    Args:
        spec: from ``resolve``.
        device: where it is put.

    Returns:
        The mmpose estimator, as ``mmpose.apis.init_model`` would give, and its config.

    Raises:
        UserError: not a top-down model; weights that do not fit; see ``checkpoint``.
    """
    load_mmpose()
    config = load_config(spec)
    if config.model.type != "TopdownPoseEstimator":
        raise UserError(
            f"pose config {spec.name!r} builds a {config.model.type}; part labels need a top-down "
            "model (TopdownPoseEstimator)"
        )
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import DefaultScope
    from mmpose.apis.inference import dataset_meta_from_config
    from mmpose.models.builder import build_pose_estimator

    # like mmpose.apis.init_model, but the process keeps its own default scope
    with quiet(), DefaultScope.overwrite_default_scope("mmpose"):
        config.model.train_cfg = None
        model = revert_sync_batchnorm(build_pose_estimator(config.model))
        model.dataset_meta = dataset_meta_from_config(config)
        model.cfg = config
    if spec.weights is not None:
        load_weights(model, spec.weights)
    return model.to(device).eval(), config


def stored_gamma(spec: PoseSpec) -> float:
    """The exponent that calibrates a model's confidence, kept with its weights; 1 without one.

    mmpose's score of a joint is the height of its heat. ``score ** gamma`` is as likely to be a
    visible joint as a hidden one at EANet's threshold of 0.1.
    """
    if spec.weights is None or spec.weights.suffix != ".safetensors":
        return 1.0
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(spec.weights, "pt") as file:
            return float((file.metadata() or {}).get("gamma", 1.0))
    except SafetensorError as error:
        raise UserError(f"{spec.weights}: not a readable safetensors file ({error})") from None
