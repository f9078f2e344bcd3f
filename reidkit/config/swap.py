"""A component of another type in place of the old one, and what goes with the old one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def swap(component: dict[str, Any], where: str, name: str) -> str:
    """Change a component's type in place; the old type's options go with it.

    Args:
        component: its node.
        where: its place, for the notice.
        name: of the new type.

    Returns:
        One line that says what was swapped and dropped; empty where the type is the same.

    Example:
        >>> swap(dict(type="PCBHead", stripes=6), "model.head", "BNNeckHead")
        'model.head: PCBHead -> BNNeckHead, dropped stripes'
    """
    old = component.get("type")
    if old == name:
        return ""
    options = [key for key in component if key != "type"]
    component.clear()
    component["type"] = name
    tail = f", dropped {', '.join(options)}" if options else ""
    return f"{where}: {old} -> {name}{tail}"


def drop_patterns(tree: dict[str, Any], place: Path, keep: set[Path]) -> Iterator[str]:
    """Take away what ``train`` says of parameters inside a part of the model that was swapped.

    "head.branches.*" names parameters of one head, and nothing in another; "head.*" and "*" hold
    for any, and stay.

    Args:
        tree: the config; its ``train`` node and stages are changed in place.
        place: of the part, such as ("model", "head").
        keep: keys that come from the command line; what they say stays, and is refused later where
            nothing has that name.

    Yields:
        One line for each key that lost patterns.

    Example:
        >>> tree = dict(train=dict(decay_mult={"head.fc.weight": 0.0, "*.bias": 0.0}))
        >>> list(drop_patterns(tree, ("model", "head"), set())), tree["train"]["decay_mult"]
        (['train.decay_mult: dropped head.fc.weight, of the old model.head'], {'*.bias': 0.0})
    """
    train = tree.get("train")
    if place[:1] != ("model",) or len(place) < 2 or not isinstance(train, dict):
        return
    prefix = ".".join(place[1:]) + "."
    stages = train.get("stages")
    nodes: dict[Path, Any] = {("train",): train}
    if isinstance(stages, Mapping):
        nodes |= {("train", "stages", str(name)): node for name, node in stages.items()}
    for path, node in nodes.items():
        for key in ("lr_mult", "decay_mult", "freeze"):
            value = node.get(key) if isinstance(node, dict) else None
            own = (*path, key)
            if not isinstance(value, (dict, list, tuple)) or own in keep:
                continue
            lost = [
                one
                for one in map(str, value)
                if one.startswith(prefix) and one != f"{prefix}*" and (*own, one) not in keep
            ]
            if lost:
                rest = [one for one in value if str(one) not in lost]
                node[key] = {k: value[k] for k in rest} if isinstance(value, dict) else rest
                yield f"{'.'.join(own)}: dropped {', '.join(lost)}, of the old {'.'.join(place)}"
