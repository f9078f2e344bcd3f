"""The keys of a config that are no component's options."""

from __future__ import annotations

from typing import Any

TOP_LEVEL = (
    "plugins", "groups", "settings", "data", "input", "prerequisites", "model", "train",
    "evaluation", "hooks", "visualizers",
)  # fmt: skip
MARKS = ("resolved", "source")  # what load_config itself writes
PREREQUISITE_KEYS = ("config", "run", "overrides")
DATA_KEYS = ("name", "domains", "tests", "labeller", "real")
ROLE_KEYS = ("loss", "domain", "head", "weight")


def has_options(path: tuple[str, ...], node: dict[str, Any]) -> bool:
    """Whether keys of a node are options that the check compares with a closed list."""
    return "type" in node or (bool(path) and path[0] == "settings") or _is_role(path)


def _is_role(path: tuple[str, ...]) -> bool:
    return len(path) == 3 and path[:2] == ("model", "losses")
