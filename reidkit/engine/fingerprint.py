"""What tells a model from every other: equal fingerprints give equal embeddings and distances."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

PARTS = ("backbone", "head", "matcher", "networks", "transforms")  # of ``model``
ORIGIN = ("pretrained",)  # where weights came from: they are looked at themselves


def model_fingerprint(cfg: Config, model: nn.Module) -> str:
    """SHA-256 of the weights and of what the config says of input, network and matcher.

    Args:
        cfg: the resolved config.
        model: with its weights.

    Example:
        >>> cfg = Config(dict(input=dict(size=(4, 4)), model=dict(head="a", losses="b")))
        >>> net = nn.Linear(2, 1)
        >>> before = model_fingerprint(cfg, net)
        >>> cfg.model.losses = "c"
        >>> model_fingerprint(cfg, net) == before
        True
        >>> cfg.model.head = "c"
        >>> model_fingerprint(cfg, net) == before
        False
    """
    tree = cfg.to_dict()
    shown = {name: tree["model"].get(name) for name in PARTS}
    shown["input"] = {name: tree["input"].get(name) for name in ("size", "resize", "frames")}
    text = json.dumps(_without(shown), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(
                tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
            )
    return digest.hexdigest()


def _without(tree: Any) -> Any:
    """The config without keys that say where weights were read."""
    if isinstance(tree, dict):
        return {key: _without(value) for key, value in tree.items() if key not in ORIGIN}
    return [_without(one) for one in tree] if isinstance(tree, (list, tuple)) else tree
