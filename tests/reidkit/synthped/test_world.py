"""The world is a pure function, and its golden pictures move only with the version."""

import hashlib
import json
import multiprocessing
import platform
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.synthped import presets
from reidkit.synthped.keys import stream
from reidkit.synthped.world import Crop, Shot, render

GOLDEN = Path(__file__).with_name("golden.json")
SHOTS = (
    Shot("A", 3, 1),
    Shot("B", 8, 4, track=1),
    Shot("P", 40, 6, preset="hard_v3"),
    Shot("A", 12, 2, style="B", frame=17),
    Shot("B", 1001, 3, kind="junk", preset="easy", seed=5),
)


def digest(crop: Crop) -> str:
    total = hashlib.sha256()
    for name, value in sorted(vars(crop).items()):
        array = np.asarray(value)
        total.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return total.hexdigest()


def digests(shots) -> list[str]:
    return [digest(render(shot)) for shot in shots]


def test_a_shot_gives_the_same_bytes_in_any_order_and_process():
    first = digests(SHOTS)
    assert digests(reversed(SHOTS)) == first[::-1]
    assert len(set(first)) == len(SHOTS)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(digests, (SHOTS,)) == first


@pytest.mark.parametrize(
    "change",
    [
        dict(identity=4),
        dict(camera=2),
        dict(track=1),
        dict(frame=1),
        dict(seed=1),
        dict(domain="B"),
    ],
    ids=str,
)
def test_every_argument_changes_the_picture(change):
    shot = Shot("A", 3, 1)
    assert digest(render(replace(shot, **change))) != digest(render(shot))


def test_random_streams_are_named_and_independent():
    draws = {stream(*key).random() for key in (("a", 1), ("b", 1), ("a", 2), ("a", 1, 0))}
    assert len(draws) == 4


@pytest.mark.parametrize("identity", range(4))
def test_style_changes_colours_and_nothing_else(identity):
    plain, styled = (render(Shot("A", identity, 2, style=style)) for style in (None, "B"))
    for name in ("joints", "parts", "part_map", "visible", "box_error"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(styled, name))
    assert plain.seconds == styled.seconds and plain.image.shape == styled.image.shape
    assert np.abs(plain.image.astype(int) - styled.image).mean() > 5
    assert digest(render(Shot("A", identity, 2, style="A"))) == digest(plain)


def test_a_person_looks_alike_from_frame_to_frame_and_walks():
    one, next_one = (render(Shot("A", 12, 2, frame=f, preset="easy"), (128, 64)) for f in (0, 6))
    assert one.heading == next_one.heading
    assert next_one.seconds - one.seconds == pytest.approx(6 / 25)
    assert 0.5 < np.abs(one.joints[:, :2] - next_one.joints[:, :2]).max() < 30


def test_fixed_size_and_natural_size():
    assert render(Shot("A", 1, 1), size=(256, 128)).image.shape == (256, 128, 3)
    heights = {render(Shot("A", 1, c)).image.shape[0] for c in range(1, 7)}
    assert len(heights) > 2 and all(80 <= h <= 176 for h in heights)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(domain="C"), "Shot.domain must be one of ('A', 'B', 'P'), got 'C'"),
        (dict(style="Q"), "Shot.style must be one of (None, 'A', 'B', 'P'), got 'Q'"),
        (dict(kind="dog"), "Shot.kind must be one of ('person', 'junk', 'empty'), got 'dog'"),
        (dict(camera=7), "Shot.camera must be 1..6, got 7"),
        (dict(track=-1), "Shot: identity, track and frame must be >= 0"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError) as error:
        Shot(**{**dict(domain="A", identity=1, camera=1), **wrong})
    assert str(error.value) == message


def table_hash() -> str:
    """Of every knob: whoever turns one must raise VERSION (a new preset changes only this)."""
    knobs = {name: asdict(preset) for name, preset in presets.PRESETS.items()}
    knobs |= {f"style {name}": asdict(style) for name, style in presets.STYLES.items()}
    return hashlib.sha256(json.dumps(knobs, sort_keys=True).encode()).hexdigest()


def machine() -> list[str]:
    return [cv2.__version__, np.__version__, platform.machine(), platform.system()]


def golden() -> dict:
    crops = [render(shot, (128, 64)) for shot in SHOTS]
    grids = [cv2.resize(c.image, (8, 16), interpolation=cv2.INTER_AREA).tolist() for c in crops]
    joints = [np.round(c.joints.astype(float), 2).tolist() for c in crops]
    exact = [digest(crop) for crop in crops]
    made = dict(version=presets.VERSION, table=table_hash(), machine=machine(), exact=exact)
    return made | dict(grids=grids, joints=joints)


def test_golden_pictures():
    """Means of 8x8-pixel blocks within 2 of 255 on any machine; bytes where it is the same one.

    When this fails because the renderer or a knob was changed on purpose: raise
    ``presets.VERSION`` and write the file again by running this file as a script.
    """
    kept, now = json.loads(GOLDEN.read_text()), golden()
    assert kept["version"] == now["version"], "golden.json is of another version"
    assert kept["table"] == now["table"], "a knob was turned: raise VERSION"
    np.testing.assert_allclose(now["joints"], kept["joints"], atol=0.02)
    np.testing.assert_allclose(now["grids"], kept["grids"], atol=2)
    if kept["machine"] == now["machine"]:
        assert now["exact"] == kept["exact"]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden()) + "\n")
