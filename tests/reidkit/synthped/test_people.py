"""Identities are hard on purpose, and the knobs say what they do."""

import re
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from reidkit.synthped import camera, clock, people, presets, world
from reidkit.synthped.presets import PRESETS

STANDARD = PRESETS["standard"]


def crowd(preset=STANDARD, domain="A", count=400):
    return [people.make_person(preset, 0, domain, n) for n in range(count)]


def changed(one, other) -> set[str]:
    return {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}


def test_twins_differ_in_one_garment_only():
    everybody = crowd()
    groups = [set(group) for group in people.ONE_GARMENT]
    twins = 0
    for even in range(0, 400, 2):
        difference = changed(everybody[even], everybody[even + 1])
        if len(difference) <= 2:
            twins += 1
            assert difference and any(difference <= group for group in groups)
    assert 0.28 < 2 * twins / 400 < 0.52  # each pair is two identities that are hard to tell
    tight = [changed(*crowd(PRESETS["easy"])[n : n + 2]) for n in range(0, 40, 2)]
    assert min(len(difference) for difference in tight) > 4


def test_many_people_share_a_shirt_colour():
    names = list(people.BASE)
    table = np.array([people.BASE[name] for name in names])
    tops = np.array([person.top for person in crowd()])
    nearest = np.abs(tops[:, None] - table).sum(axis=2).argmin(axis=1)
    assert Counter(nearest.tolist()).most_common(1)[0][1] > 0.1 * len(tops)


def test_domains_share_some_colours_but_not_all():
    a, b = set(people.TOPS["A"]), set(people.TOPS["B"])
    assert a & b and a - b and b - a


@pytest.mark.parametrize(
    "kind",
    [
        presets.Preset,
        presets.Sizes,
        presets.Style,
        world.Shot,
        world.Crop,
        camera.Look,
        camera.Place,
        people.Person,
    ],
)
def test_every_knob_is_documented(kind):
    words = set(re.findall(r"\w+", kind.__doc__))
    assert {f.name for f in fields(kind)} <= words


def test_presets_grow_harder():
    easy, standard, hard = (PRESETS[name] for name in ("easy", "standard", "hard"))
    for knob in ("edge_v", "edge_h", "camera_shift", "occluded", "twins", "gain", "noise"):
        values = [getattr(preset, knob) for preset in (easy, standard, hard)]
        assert values == sorted(values) and values[0] < values[2], knob


def test_people_walk_from_camera_to_camera_unless_time_is_shuffled():
    def gaps(preset):
        times = [
            [clock.seconds(preset, 0, "A", n, c, 0, 0) for c in range(1, 7)] for n in range(60)
        ]
        return np.diff(np.sort(times, axis=1), axis=1).ravel()

    walked = gaps(STANDARD)
    assert 30 < np.median(walked) < 60 and np.percentile(walked, 95) < 120
    assert np.percentile(gaps(replace(STANDARD, shuffle_time=True)), 95) > 600


def test_some_people_arrive_together():
    apart = [
        abs(np.subtract(*(clock.seconds(STANDARD, 0, "A", 2 * n + k, 1, 0, 0) for k in (0, 1))))
        for n in range(100)
    ]
    together = np.mean(np.array(apart) < 40)
    assert 0.25 < together < 0.6


def test_cameras_differ_in_colour_and_styles_more_so():
    def gains(style):
        return np.array([camera.look(STANDARD, 0, style, c, 0).gains for c in range(1, 7)])

    a, b = gains("A"), gains("B")
    assert (a[:, 0] / a[:, 2]).mean() > (b[:, 0] / b[:, 2]).mean() + 0.15
    assert a.std(axis=0).min() > 0.02
