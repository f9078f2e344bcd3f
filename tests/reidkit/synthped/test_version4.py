"""Version 4: crowds, few shots, textures; version 3 keeps its names, knobs and bytes."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from reidkit.synthped import clock, layout, plan
from reidkit.synthped.people import make_person
from reidkit.synthped.presets import PRESETS
from reidkit.synthped.reader import SynthPed
from reidkit.synthped.textures import GARMENT, make_textures
from reidkit.synthped.world import Shot, render

TAU = 100.0  # seconds within which TLift takes queries as neighbours


def times(preset: str, folder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Identity, camera and seconds of a split's crops, nothing rendered."""
    shots = [i.shot for i in plan.plan(preset, "A") if i.path.startswith(folder)]
    shots = [s for s in shots if s.kind == "person" and s.identity < plan.EXTRA]
    when = [clock.seconds(PRESETS[preset], 0, "A", s.identity, s.camera, s.track, 0) for s in shots]
    return (
        np.array([s.identity for s in shots]),
        np.array([s.camera for s in shots]),
        np.array(when),
    )


def companions(preset: str) -> float:
    """Other queries of a query's camera within tau of it, on average."""
    people, cameras, when = times(preset, plan.QUERY)
    near = np.abs(when[:, None] - when) < TAU
    return float((near & (cameras[:, None] == cameras) & (people[:, None] != people)).sum(1).mean())


def pivots(preset: str) -> float:
    """Gallery crops under one camera of a query and of its companions, on average."""
    people, cameras, when = times(preset, plan.QUERY)
    others, _, _ = times(preset, plan.GALLERY)
    per_camera = len(others) / len(np.unique(others)) / PRESETS[preset].cameras
    return per_camera * (1 + companions(preset))


@pytest.mark.slow
def test_queries_have_companions_within_tau_when_people_come_in_crowds():
    assert companions("standard") < 1.2 < 2.5 < companions("crowds")
    assert pivots("standard") < 5 < pivots("crowds")


def test_companions_meet_again_under_other_cameras():
    """What temporal lifting uses: two people near in time here are near in time there."""

    def share(preset: str) -> float:
        people, cameras, when = times(preset, plan.GALLERY)
        first, second = ((cameras == c) for c in (1, 4))
        met, again = 0, 0
        for n in np.unique(people):
            own = [when[side & (people == n)] for side in (first, second)]
            if not all(len(o) for o in own):
                continue
            beside = {m for m, t in zip(people[first], when[first], strict=True) if m != n
                      and np.abs(own[0] - t).min() < TAU}  # fmt: skip
            for other in beside:
                there = when[second & (people == other)]
                met += 1
                again += bool(np.abs(own[1][:, None] - there).min(initial=1e9) < TAU)
        return again / met

    assert share("crowds") > 0.6


def test_a_person_passes_a_camera_once_within_a_minute():
    people, cameras, when = times("crowds", plan.GALLERY)
    spans = [
        np.ptp(when[(people == n) & (cameras == c)])
        for n in np.unique(people)[:20]
        for c in range(1, 7)
    ]
    assert max(spans) < 60 and np.median(spans) > 5


def test_crowds_change_no_person_and_no_box():
    old, new = (
        render(Shot("A", 1005, 2, preset=name), (128, 64)) for name in ("standard", "crowds")
    )
    for name in ("joints", "parts", "box_error"):
        np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
    assert old.seconds != new.seconds


def test_few_shot_has_three_or_four_crops_of_three_hundred_people():
    shots = [i.shot for i in plan.plan("few_shot", "A") if i.path.startswith(plan.TRAIN)]
    counts = np.unique([s.identity for s in shots], return_counts=True)[1]
    assert len(counts) == 300 and set(counts.tolist()) == {3, 4}
    assert SynthPed("data", preset="few_shot").counts["train"] == (len(shots), 300)
    assert PRESETS["hard"].sizes.train_ids >= 300


@pytest.mark.parametrize("name", ["standard", "hard_v3"])
def test_version_3_has_the_folders_and_knobs_that_it_had(name):
    preset = PRESETS[name]
    added = {"version", "crowds", "textures", "shadow"}
    assert set(asdict(preset)) - set(preset.knobs()) == added
    assert "views" not in preset.knobs()["sizes"]
    assert added <= set(PRESETS["few_shot"].knobs())
    folders = [layout.domain_folder("", n, "A").parts[1] for n in (name, "hard")]
    assert folders == ["v3-" + name.removesuffix("_v3"), "v4-hard"]


def test_textures_tell_people_of_one_colour_apart():
    preset = PRESETS["hard"]
    people = [make_person(preset, 0, "A", n) for n in range(200)]
    assert len({p.pattern for p in people} & set(GARMENT)) == len(GARMENT)
    printed = [p for p in people if p.pattern == "camouflage"][:2]
    tops = [make_textures(p, 0, "A")[0].top for p in printed]
    assert 0.3 < (tops[0] == tops[1]).mean() < 0.8
    faces = [make_textures(p, 0, "A")[0].face for p in people[:10]]
    assert len({f.tobytes() for f in faces}) == len({p.texture for p in people[:10]}) > 6


def test_textures_and_shadows_change_colours_only():
    """A hundred pictures differ by more than noise; joints and parts do not."""
    hard = PRESETS["hard"]
    twin = make_person(hard, 0, "A", 7)
    assert twin == make_person(replace(hard, shadow=0.0), 0, "A", 7)
    crop = render(Shot("A", 7, 3, preset="hard"))
    assert crop.parts.max() <= 7 and set(np.unique(crop.part_map)) <= set(range(8))


def test_a_twin_wears_its_siblings_textures():
    preset = PRESETS["hard"]
    pairs = [[make_person(preset, 0, "A", n + k) for k in (0, 1)] for n in range(0, 100, 2)]
    twins = [pair for pair in pairs if pair[0].legs == pair[1].legs]
    assert len(twins) > 5 and all(a.texture == b.texture for a, b in twins)
