"""A config as Python text, in its own order, that reads back to the same config."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from typing import Any

WIDTH = 100
_HIDDEN = ("notices",)


def render(cfg: Mapping[str, Any]) -> str:
    """The resolved config as the text of a config file.

    ``load_config`` of the saved text gives the same config: groups and defaults are not applied
    again. Keys keep their order, since the order of loss roles is the order of their computation.

    Example:
        >>> print(render(dict(train=dict(epochs=2, lr=float("inf")), hooks=[])), end="")
        train = dict(epochs=2, lr=float('inf'))
        hooks = []
    """
    keys = cfg.to_dict() if hasattr(cfg, "to_dict") else cfg
    lines = [
        f"{key} = {_text(value, len(key) + 3, 0)}"
        for key, value in keys.items()
        if key not in _HIDDEN
    ]
    return "\n".join(lines) + "\n"


def _text(value: Any, column: int, depth: int) -> str:
    """Python text of a value that starts at ``column``; on one line when it fits."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if not isinstance(value, (dict, list, tuple)):
        return repr(value)
    left, items, right = _items(value, depth)
    line = left + ", ".join(items) + right
    if "\n" not in line and column + len(line) < WIDTH and len(items) <= 8:
        return line if not (isinstance(value, tuple) and len(value) == 1) else line[:-1] + ",)"
    pad = "    " * (depth + 1)
    return f"{left}\n" + "".join(f"{pad}{item},\n" for item in items) + "    " * depth + right


def _items(value: Any, depth: int) -> tuple[str, list[str], str]:
    inside = 4 * (depth + 1)
    if not isinstance(value, dict):
        left, right = "[]" if isinstance(value, list) else "()"
        return left, [_text(item, inside, depth + 1) for item in value], right
    if all(_is_word(key) for key in value):
        items = [f"{k}={_text(v, inside + len(k) + 1, depth + 1)}" for k, v in value.items()]
        return "dict(", items, ")"
    items = [f"{k!r}: {_text(v, inside + len(repr(k)) + 2, depth + 1)}" for k, v in value.items()]
    return "{", items, "}"


def _is_word(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
