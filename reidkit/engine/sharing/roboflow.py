"""Folders of Roboflow's ``reid``: read as networks, and written where it has the same network.

Its format: ``reid_config.json`` with ``architecture`` ("osnet_x1_0", "timm:<name>") and
``preprocessing``, and ``weights.safetensors`` with the network's own names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from reidkit.engine.folder import write_json
from reidkit.errors import WRONG_CONTENT, UserError

FILE, WEIGHTS = "reid_config.json", "weights.safetensors"
NETWORKS = ("osnet_x0_25", "osnet_x0_5", "osnet_x0_75", "osnet_x1_0")
TIMM = "timm:"
BOTH = "Roboflow's `reid` reads this folder too: `ReIDModel.from_pretrained({name!r})`."
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # theirs, where a config says none


def read(folder: Path) -> tuple[str, Path, list[str]]:
    """Network, file of weights and overrides of a folder of ``reid``.

    Args:
        folder: holds ``reid_config.json`` and ``weights.safetensors``.

    Raises:
        UserError: a network, a resizing or numbers that are not known here.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        name, steps = content["architecture"], content.get("preprocessing", {})
        if not isinstance(name, str):
            raise TypeError(name)
        values = {
            "input.size": _numbers(steps.get("input_size", (256, 128)), 2),
            "model.transforms.test.normalize.mean": _numbers(steps.get("mean", MEAN), 3),
            "model.transforms.test.normalize.std": _numbers(steps.get("std", STD), 3),
        }
        ways = (steps.get("resize_mode", "stretch"), steps.get("interpolation", "bilinear"))
    except WRONG_CONTENT:
        raise UserError(
            f"{file}: not a config of reid; expected architecture and preprocessing"
        ) from None
    if name not in NETWORKS and not name.startswith(TIMM):
        raise UserError(
            f"{file}: architecture {name!r:.60} is not known here; known: {', '.join(NETWORKS)}, "
            f"{TIMM}<name>"
        )
    if ways != ("stretch", "bilinear"):
        raise UserError(
            f"{file}: crops resized by {' and '.join(map(str, ways)):.40}; here they are stretched "
            "bilinearly, and embeddings would differ"
        )
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder}: a folder of reid without {WEIGHTS}; fetch it again")
    network = f"timm/{name.removeprefix(TIMM)}" if name.startswith(TIMM) else name
    overrides = [f"{key}={value!r}" for key, value in values.items()]
    return network, folder / WEIGHTS, [*overrides, "input.resize=pil"]


def _numbers(value: Any, count: int) -> tuple[float, ...]:
    if len(value) != count or not all(type(one) in (int, float) for one in value):
        raise TypeError(value)
    return tuple(value)


def write(folder: Path, cfg: Mapping[str, Any], model: nn.Module) -> str:
    """Write ``reid_config.json`` and its weights, where ``reid`` has this very network.

    That is OSNet with its own embedding layer and no transform but ``Normalize``.

    Args:
        folder: of the saved model.
        cfg: the resolved config.
        model: with ``backbone`` and ``head``.

    Returns:
        A sentence for the card.
    """
    node: Any = cfg["model"]
    name = str(dict(node).get("backbone", {}).get("type", "")).partition("/")[2]
    steps = [dict(step) for step in node.get("transforms", {}).get("test", {}).values()]
    plain = [step["type"] for step in steps] == ["Normalize"]
    if name not in NETWORKS or node["head"]["type"] != "FCHead" or not plain:
        return ""
    tensors = {**model.backbone.state_dict(), **model.head.state_dict()}  # type: ignore[operator, union-attr]
    kept = {n: t for n, t in tensors.items() if not n.startswith("classifier.")}
    clean = {n: t.detach().cpu().contiguous().clone() for n, t in kept.items()}
    save_file(clean, folder / WEIGHTS, metadata={"format": "pt"})
    content = dict(
        architecture=name,
        preprocessing=dict(
            input_size=list(cfg["input"]["size"]),
            mean=list(steps[0].get("mean", MEAN)),
            std=list(steps[0].get("std", STD)),
            interpolation="bilinear",
            to_rgb=True,
            resize_mode="stretch",
            pad_value=114,
        ),
    )
    write_json(folder / FILE, content)
    return BOTH.format(name="<this folder>")
