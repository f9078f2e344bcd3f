"""A small tree of configs and a closed world of components, so that whole texts can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from torch import Tensor, nn

from reidkit.registry import REGISTRIES

DEFAULT = """
groups = dict(data="toy", recipe="quick")
plugins = []
input = dict(size=(64, 32), resize="cv2")
train = dict(
    epochs=60, batch_size=32, sampler=dict(type="Shuffle"), lr_mult=dict(), schedule=None,
    optimizer=dict(type="SGD", lr=0.01), stages=dict(),
)
evaluation = dict(type="Market", topk=(1, 5))
hooks = dict()
"""
TOY = """
data = dict(
    name="toy",
    domains=dict(source=dict(type="Folder", root="a"), target=dict(type="Folder", root="b")),
    tests=["source"],
    labeller=None,
)
"""
QUICK = """
model = dict(backbone=dict(type="ResNet", depth=18, last_stride=1))
train = dict(epochs=2, optimizer=dict(lr=0.1))
"""
PAPER = """
model = dict(backbone=dict(type="ResNet", depth=50))
train = dict(epochs=120)
"""
METHOD = """
_base_ = ["../_base_/default.py"]
model = dict(
    type="Model",
    head=dict(type="PoolHead", pool="avg"),
    losses=dict(
        id=dict(domain="source", weight=1.0, loss=dict(type="TripletLoss")),
        ps=dict(domain="target", loss=dict(type="SegLoss")),
    ),
    matcher=dict(type="Cosine"),
    transforms=dict(train=dict(flip=dict(type="Flip", p=0.5)), test=dict()),
)
recipes = dict(
    quick=dict(model=dict(head=dict(dim=64))), paper=dict(model=dict(head=dict(dim=256)))
)
"""


class Tree:
    """Config files below a temporary folder, which is the current one."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, **files: str) -> None:
        """Files by name without .py, ``__`` for a slash: ``foo__a="..."``."""
        for name, text in files.items():
            path = self.root / "configs" / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip())


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """``configs`` with default, a data group, two recipes and the method ``foo/method``."""
    tree = Tree(tmp_path)
    tree.write(foo__method=METHOD)
    base = {"default": DEFAULT, "data/toy": TOY, "recipe/quick": QUICK, "recipe/paper": PAPER}
    for name, text in base.items():
        tree.write(**{f"_base_/{name}": text})
    for module in ("files", "load", "groups"):
        monkeypatch.setattr(f"reidkit.config.{module}.configs_folder", lambda: tmp_path / "configs")
    monkeypatch.delenv("REIDKIT_PLUGIN_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return tree


class ResNet:
    def __init__(self, depth: int = 50, last_stride: int | None = None, width: float = 1.0): ...


class OSNet:
    def __init__(self, width: float = 1.0): ...


class PoolHead:
    def __init__(self, features: dict, num_identities: int, dim: int, pool: str = "max"): ...


class TripletLoss(nn.Module):
    def __init__(self, margin: float = 0.3):
        super().__init__()

    def forward(self, vectors: Tensor, identities: Tensor): ...


class SegLoss(nn.Module):
    def __init__(self, mode: Literal["part", "pixel"] = "part"):
        super().__init__()

    def forward(self, logits: Tensor, part_map: Tensor): ...


class DepthLoss(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, depth: Tensor): ...


class Cosine:
    def __init__(self): ...


class Flip:
    def __init__(self, p: float = 0.5): ...


class Folder:
    def __init__(self, data_root: str, root: str): ...


class Shuffle:
    def __init__(self, num_samples: int, batch_size: int, drop_last: bool = True): ...


class Market:
    def __init__(self, topk: Sequence[int] = (1, 5, 10)): ...


class Model:
    def __init__(
        self,
        backbone: dict,
        head: dict,
        losses: dict,
        matcher: dict,
        transforms: dict,
        aux_heads: dict | None = None,
        num_identities: int = 1,
        ratio: float = 1.0,
    ): ...


WORLD = {
    "models": [Model],
    "backbones": [ResNet, OSNet],
    "heads": [PoolHead],
    "losses": [TripletLoss, SegLoss, DepthLoss],
    "matchers": [Cosine],
    "transforms": [Flip],
    "datasets": [Folder],
    "samplers": [Shuffle],
    "evaluators": [Market],
    "hooks": [],
    "labellers": [],
}


@pytest.fixture
def components(monkeypatch):
    """Registries that hold exactly the classes above."""
    for registry in REGISTRIES.values():
        registry.names()  # now, lest the core's components are lost in the closed ones
    for kind, classes in WORLD.items():
        closed = {one.__name__: one for one in classes}
        monkeypatch.setattr(REGISTRIES[kind], "_module_dict", closed)
    monkeypatch.setattr("reidkit.plugin.load._loaded", {})
