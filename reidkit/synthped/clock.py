"""The cameras' common clock: people arrive, alone, in groups or crowds, and walk past cameras."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reidkit.synthped.keys import stream
from reidkit.synthped.presets import Preset

RATE = 25.0  # frames per second
SPAN = 3 * 3600.0  # seconds in which people arrive
LEG = 45.0  # seconds between neighbouring cameras, typically
SPREAD = 30.0  # sd of the people of a crowd around its middle, seconds
AGAIN = 12.0  # from one crop of a person to the next under the same camera, seconds


def seconds(
    preset: Preset, seed: int, domain: str, identity: int, camera: int, track: int, frame: int
) -> float:
    """When this frame was taken, seconds from the cameras' start.

    Everybody walks the cameras in the same order round a loop, starting anywhere, at a speed of
    their own; identities 2k and 2k+1 sometimes walk together. ``track`` counts rounds.

    With ``preset.crowds`` people come in crowds, as from a train or a lecture: a crowd starts at
    one camera and walks one way, once. ``track`` counts crops within the same pass, 12 s apart.

    Example:
        >>> from reidkit.synthped.presets import PRESETS
        >>> times = [seconds(PRESETS["standard"], 0, "A", 3, c, 0, 0) for c in (1, 2)]
        >>> abs(times[0] - times[1]) < 600
        True
    """
    if preset.crowds and not preset.shuffle_time:
        return _in_crowd(preset, seed, domain, identity, camera, track) + frame / RATE
    pair = stream("group", seed, domain, identity // 2)
    together = pair.random() < 0.4
    who = identity // 2 if together else identity
    rng = stream("route", seed, domain, int(together), who)
    start, first = rng.uniform(0, SPAN), int(rng.integers(preset.cameras))
    pace = float(np.exp(rng.normal(0, 0.15)))
    steps = (camera - 1 - first) % preset.cameras + track * (preset.cameras + 1)
    own = stream("arrival", seed, domain, identity, camera, track)
    if preset.shuffle_time:
        return float(own.uniform(0, SPAN)) + frame / RATE
    wait = LEG * pace * steps + float(own.normal(0, 6.0)) * (steps > 0)
    return max(0.0, start + wait + float(own.uniform(0, 3.0))) + frame / RATE


def _in_crowd(
    preset: Preset, seed: int, domain: str, identity: int, camera: int, track: int
) -> float:
    start, first, way, pace = _walk(preset, seed, domain, identity)
    steps = way * (camera - 1 - first) % preset.cameras
    shot = stream("crowd crop", seed, domain, identity, camera, track)
    return max(0.0, start + LEG * pace * steps + AGAIN * track + float(shot.uniform(0, 4)))


@lru_cache(maxsize=4096)
def _walk(preset: Preset, seed: int, domain: str, identity: int) -> tuple[float, int, int, float]:
    """When and at which camera a person of a crowd starts, which way, and how slowly."""
    own = stream("crowd member", seed, domain, identity)
    number = int(own.integers(preset.crowds))
    crowd = stream("crowd route", seed, domain, number)
    start = (number + crowd.uniform(0.2, 0.6)) * SPAN / preset.crowds
    first, way = int(crowd.integers(preset.cameras)), int(crowd.choice([-1, 1]))
    pace = float(np.exp(own.normal(0, 0.12)))
    return float(start + own.normal(0, SPREAD)), first, way, pace
