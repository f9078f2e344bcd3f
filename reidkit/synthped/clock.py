"""The cameras' common clock: people arrive, alone or in groups, and walk from camera to camera."""

from __future__ import annotations

import numpy as np

from reidkit.synthped.keys import stream
from reidkit.synthped.presets import Preset

RATE = 25.0  # frames per second
SPAN = 3 * 3600.0  # seconds in which people arrive
LEG = 45.0  # seconds between neighbouring cameras, typically


def seconds(
    preset: Preset, seed: int, domain: str, identity: int, camera: int, track: int, frame: int
) -> float:
    """When this frame was taken, seconds from the cameras' start.

    Everybody walks the cameras in the same order round a loop, starting anywhere, at a speed of
    their own; identities 2k and 2k+1 sometimes walk together. ``track`` counts rounds.

    Example:
        >>> from reidkit.synthped.presets import PRESETS
        >>> times = [seconds(PRESETS["standard"], 0, "A", 3, c, 0, 0) for c in (1, 2)]
        >>> abs(times[0] - times[1]) < 600
        True
    """
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
