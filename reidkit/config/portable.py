"""A resolved config as JSON for a model that goes to other people, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from reidkit.errors import UserError

FILE = "config.json"
KEY = "config"  # of the resolved config in the file; the other keys say what goes with it
# of the machine that trained, and none of anybody else's business
LOCAL_SETTINGS = ("data_root", "label_root", "work_dir", "device", "workers")
LARGEST = 1 << 24  # bytes of a config.json that is read


def portable(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved config without what belongs to the machine that trained.

    Settings of places, trackers and runs that it built on are left out, no ``pretrained`` names
    weights, and of an absolute path only the last part stays.

    Args:
        cfg: a resolved config.

    Example:
        >>> tree = dict(settings=dict(seed=3, data_root="/home/me/data"), source="/home/me/a.py",
        ...             model=dict(backbone=dict(type="ResNet", pretrained="w.pth")))
        >>> portable(tree)["settings"], portable(tree)["source"], portable(tree)["model"]
        ({'seed': 3}, 'a.py', {'backbone': {'type': 'ResNet', 'pretrained': None}})
    """
    tree = _plain(cfg.to_dict() if hasattr(cfg, "to_dict") else cfg)
    settings = tree.get("settings", {})
    tree["settings"] = {k: v for k, v in settings.items() if k not in LOCAL_SETTINGS}
    tree |= {
        key: empty for key, empty in (("prerequisites", {}), ("visualizers", [])) if key in tree
    }
    if "train" in tree:
        tree["train"]["load_from"] = None
    return tree


def _plain(value: Any, key: str = "") -> Any:
    """Plain dicts, lists and tuples, in which no path is absolute and nothing is pretrained."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if key == "pretrained":
        return None
    if isinstance(value, str) and "://" not in value:
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith("~"):
                return kind(value).name
    return value


def is_portable(file: Path) -> bool:
    """Whether a file is a ``config.json`` with a resolved config of ours in it."""
    try:
        content = _content(file)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and isinstance(content.get(KEY), dict)


def read_portable(file: Path) -> dict[str, Any]:
    """The keys of the resolved config in a ``config.json``, which is data: nothing is executed.

    JSON knows no tuples; lists of numbers are read as tuples, as configs have them.

    Raises:
        UserError: a file that holds something else.
    """
    if not is_portable(file):
        raise UserError(f"{file}: holds no config of a saved model (an object {KEY!r})")
    return _tuples(_content(file)[KEY])


def header(file: Path) -> dict[str, Any]:
    """What stands beside the config in a ``config.json``."""
    return {key: value for key, value in _content(file).items() if key != KEY}


def _content(file: Path) -> Any:
    with open(file, "rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError("too large")
    return json.loads(data)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [_tuples(item) for item in value]
    numbers = items and all(type(item) in (int, float, tuple) for item in items)
    return tuple(items) if numbers else items
