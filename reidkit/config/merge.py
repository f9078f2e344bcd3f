"""The one rule by which parts of a config join: bases, groups, recipes, stages and overrides."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

# places of parts with names of the user's choice: a file leaves out what its base has by None
ROLES = (
    ("prerequisites", "*"),
    ("data", "domains", "*"),
    ("model", "aux_heads", "*"),
    ("model", "losses", "*"),
    ("model", "transforms", "*", "*"),
    ("train", "optimizers", "*"),
    ("train", "stages", "*"),
    ("evaluation", "rerank", "*"),
    ("hooks", "*"),
)


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """``high`` over ``low``: dicts join key by key, everything else is replaced.

    A dict is replaced whole where it names another component type, so that options of one
    component never reach another, or says ``_delete_=True``. Order counts where steps are named
    (transforms, losses, hooks): keys of ``low`` keep theirs, and a new key goes before the key
    that follows it in ``high`` when ``low`` has that one, else to the end.

    Args:
        low, high: trees of dicts; neither is changed.

    Example:
        >>> merge(dict(b=dict(type="A", x=1)), dict(b=dict(type="A", y=2)))
        {'b': {'type': 'A', 'x': 1, 'y': 2}}
        >>> merge(dict(b=dict(type="A", x=1)), dict(b=dict(type="B", y=2)))
        {'b': {'type': 'B', 'y': 2}}
        >>> list(merge(dict(flip={}, normalize={}), dict(jitter={}, normalize={}, erase={})))
        ['flip', 'jitter', 'normalize', 'erase']
    """
    return {key: _joined(low, high, key) for key in _order(list(low), list(high))}


def _order(low: list[str], high: list[str]) -> list[str]:
    keys = list(low)
    for place, key in enumerate(high):
        if key not in low:
            follower = next((k for k in high[place + 1 :] if k in low), None)
            keys.insert(len(keys) if follower is None else keys.index(follower), key)
    return keys


def _joined(low: Mapping[str, Any], high: Mapping[str, Any], key: str) -> Any:
    if key not in high:
        return copy.deepcopy(low[key])
    old, new = low.get(key), high[key]
    if not isinstance(new, Mapping):
        return copy.deepcopy(new)
    kept = {k: v for k, v in new.items() if k != "_delete_"}
    fresh = new.get("_delete_") or not isinstance(old, Mapping) or _swaps(old, new)
    return merge({} if fresh or old is None else old, kept)


def _swaps(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "type" in old and "type" in new and old["type"] != new["type"]


def without_none(tree: Any, path: tuple[str, ...] = ()) -> Any:
    """The tree without the roles that are None: how a file leaves out what its base has.

    Example:
        >>> without_none(dict(model=dict(losses=dict(id=None, ps={}), matcher=None)))
        {'model': {'losses': {'ps': {}}, 'matcher': None}}
    """
    if not isinstance(tree, Mapping):
        return tree
    items = {key: without_none(value, (*path, str(key))) for key, value in tree.items()}
    return {k: v for k, v in items.items() if v is not None or not _is_role((*path, str(k)))}


def _is_role(path: tuple[str, ...]) -> bool:
    places = (place for place in ROLES if len(place) == len(path))
    return any(all(a in ("*", b) for a, b in zip(p, path, strict=True)) for p in places)
