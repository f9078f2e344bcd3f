"""What the framework supplies to a kind of component, with the values of the fakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidkit.kinds import KINDS
from reidkit.testing.fakes import REGIONS, fake_features


def fake_supply(kind: str, **known: Any) -> dict[str, Any]:
    """What the framework supplies to a kind of component, as for the other fakes.

    Args:
        kind: name of the kind ("heads").
        known: values in place of the fakes' own; names that the kind is not supplied are left out.

    Raises:
        TypeError: the kind is supplied something that is not known here.

    Example:
        >>> fake_supply("matchers")
        {'map_size': (24, 8), 'settings': None}
    """
    people = np.arange(64) // 4
    values: dict[str, Any] = dict(
        features=fake_features(1)[0],
        num_identities=4,
        cameras=(0, 1),
        map_size=(24, 8),
        width=REGIONS * 8,
        input_size=(192, 64),
        settings=None,
        precision="fp32",
        channels_last=True,
        runs=None,
        data_root="data",
        device="cpu",
        pictures="synthped",
        block_mb=64.0,
        num_samples=64,
        identities=people,
        batch_size=16,
        seed=0,
        rank=0,
        world_size=1,
    )
    if kind == "samplers":
        values["cameras"] = np.arange(64) % 2
    values |= known
    supplies = KINDS[kind].supplies
    unknown = [name for name in supplies if name not in values]
    if unknown:
        raise TypeError(f"fake_supply does not know {unknown} of {kind}")
    return {name: values[name] for name in supplies}
