"""Which fields the batches of a domain must bring, followed from the losses back to the data.

A loss asks by the names of its parameters; its head gives some of them and asks for others; a
transform adds fields and asks for those it makes them from. What is left must come with the data:
a label is loaded for a domain because something that runs on it asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from reidkit.models.roles import OF_MODEL, LossRole
from reidkit.registry import REGISTRIES
from reidkit.structures import BATCH_TENSORS

# what every loader gives
ALWAYS = frozenset({"images", "image_sizes", *BATCH_TENSORS})


def asks_of(component: Any) -> tuple[str, ...]:
    """The fields of the batch that a component says it reads."""
    return tuple(getattr(component, "asks", ()))


def label_names(
    roles: Iterable[LossRole],
    heads: dict[str, Any],
    backbone: Any,
    transforms: Sequence[Any],
) -> set[str]:
    """Names of the labels that batches must bring for these losses and heads.

    Args:
        roles: losses that run on the domain; none at the test.
        heads: name -> head that runs on it.
        backbone: that runs on it.
        transforms: that run on it, in order.
    """
    asked = {name for head in heads.values() for name in asks_of(head)} | {*asks_of(backbone)}
    for role in roles:
        asked |= set(role.required) - gives_of(heads[role.head]) - set(OF_MODEL)
    for step in reversed(transforms):
        adds = set(getattr(step, "adds", ()))
        if adds & asked:
            asked = (asked - adds) | set(asks_of(step))
    return asked - ALWAYS


def gives_of(head: Any) -> set[str]:
    """Names of what a head hands to the losses in training."""
    return set(getattr(head, "gives", ()))


def who_gives(name: str) -> str:
    """Which registered components could give a name to a loss or a head, as a hint.

    Args:
        name: that nobody in the config gives.
    """
    hints = []
    for kind, attribute, how in (
        ("heads", "gives", "{} gives it (model.head, model.aux_heads)"),
        ("transforms", "adds", "{} adds it (model.transforms)"),
        ("datasets", "labels", "{} brings it (data.domains)"),
    ):
        registry = REGISTRIES[kind]
        known = [(n, getattr(registry.get(n), attribute, ())) for n in registry.names()]
        names = [n for n, listed in known if isinstance(listed, tuple) and name in listed]
        if names:
            hints.append(how.format(", ".join(names)))
    return "; ".join(hints) or "no registered head, transform or dataset gives it"
