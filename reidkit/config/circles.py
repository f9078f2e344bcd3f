"""Runs that wait for themselves: a config that needs itself, directly or by way of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reidkit.config.files import config_path
from reidkit.config.load import resolve
from reidkit.config.problems import Problem
from reidkit.errors import UserError


def circle_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Prerequisites without a finished run whose training would wait for this very config.

    A needed run that has no folder of its own lies under the name of its config, so that its
    overrides do not tell it from the run that needs it.

    Args:
        tree: the resolved config.
    """
    own = _file(str(tree.get("source", "")))
    groups = tree.get("groups")
    chosen = [f"{group}={value}" for group, value in (groups or {}).items()]
    if own is None:
        return
    for role, need in _needs(tree):
        chain = _circle(need, [own], chosen)
        if chain:
            shown = " -> ".join(f"{path.parent.name}/{path.stem}" for path in chain)
            yield Problem(
                f"prerequisites.{role}",
                f"it needs itself and would wait for ever: {shown}",
                f"name a finished run with prerequisites.{role}.run, or another config",
            )


def _needs(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Roles and prerequisites that would be trained; malformed ones are said elsewhere."""
    needs = tree.get("prerequisites")
    for role, need in needs.items() if isinstance(needs, Mapping) else ():
        whole = isinstance(need, Mapping) and isinstance(need.get("config"), str)
        if whole and not need.get("run"):
            yield str(role), need


def _circle(need: Mapping[str, Any], before: list[Path], groups: list[str]) -> list[Path]:
    """The files from the first to its return, where a prerequisite leads back; else empty."""
    file = _file(need["config"])
    if file is None:
        return []
    if file in before:
        return [*before[before.index(file) :], file]
    try:
        wanted = resolve(file, [*groups, *need.get("overrides", [])]).cfg
    except UserError:  # its own problems are said when it is prepared
        return []
    for _, one in _needs(wanted.to_dict()):
        if circle := _circle(one, [*before, file], groups):
            return circle
    return []


def _file(name: str) -> Path | None:
    try:
        return config_path(name).resolve()
    except (UserError, OSError):
        return None
