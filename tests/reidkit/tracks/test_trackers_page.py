"""Every block of docs/trackers.md in the real packages, which ``make peers`` installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import reidkit
from reidkit.cli.main import main
from reidkit.export import tracing
from reidkit.synthped.footage import Footage
from reidkit.tracks import Appearance

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".peers" / "bin" / "python"
PAGE = (ROOT / "docs" / "trackers.md").read_text()
BLOCKS = re.findall(r"^## (\S+).*?$|^```python\n(.*?)^```", PAGE, re.M | re.S)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason="no trackers of others; make peers"),
]
for name in tracing.NEEDS["onnx"]:
    pytest.importorskip(name, reason=f"exports need {name}: reidkit[export]")


def page_blocks() -> tuple[str, list[tuple[str, str]]]:
    """The preamble, and the blocks below each package's heading."""
    package, found = "", []
    for heading, block in BLOCKS:
        if heading:
            package = {"Roboflow": "trackers"}.get(heading, heading)
        else:
            found.append((package, block))
    return found[0][1], found[1:]


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """Seven frames of two people who are in each, and their boxes (7, 2, 4)."""
    footage, frames, boxes = Footage(camera=2, walk=4, people=8), [], []
    for number in range(60, 67):
        frame, people = footage.frame(number)
        frames.append(frame[..., ::-1])
        boxes.append({who: box for who, box, visible in people if visible > 0.9})
    both = set.intersection(*map(set, boxes))
    kept = [np.array([seen[who] for who in sorted(both)], np.float32) for seen in boxes]
    corners = np.array([np.concatenate([one[:, :2], one[:, :2] + one[:, 2:]], 1) for one in kept])
    file = tmp_path_factory.mktemp("scene") / "scene.npz"
    np.savez(file, frames=np.array(frames), boxes=corners)
    return file, corners


@pytest.fixture(scope="module")
def seen(weights, scene, tmp_path_factory) -> dict:
    """What the blocks gave, run once by the interpreter that has the packages."""
    folder = tmp_path_factory.mktemp("page")
    saved, exports = folder / "mine", folder / "exports"
    assert main(["save", "osnet_x0_25", str(saved), f"weights={weights}"]) == 0
    export = ["export", str(saved), "--to", "onnx", "--size", "input", "--out"]
    assert main([*export, str(exports / "mine")]) == 0
    assert main([*export, str(exports / "boxmot"), "--input", "imagenet"]) == 0
    preamble, blocks = page_blocks()
    places = {"runs/mine": str(saved), '"exports/': f'"{exports}/'}
    for shown, place in places.items():
        preamble = preamble.replace(shown, place)
        blocks = [(package, block.replace(shown, place)) for package, block in blocks]
    given = dict(scene=str(scene[0]), preamble=preamble, blocks=blocks)
    (folder / "given.json").write_text(json.dumps(given))
    env = dict(
        os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1",
        YOLO_CONFIG_DIR=str(folder), YOLO_OFFLINE="1", YOLO_AUTOINSTALL="0",
    )  # fmt: skip
    script = Path(__file__).with_name("page_blocks.py")
    command = [str(PYTHON), str(script), str(folder / "given.json"), str(folder / "out.json")]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {**json.loads((folder / "out.json").read_text()), "model": saved}


def gaps(found, wanted) -> np.ndarray:
    """One minus the cosine of each pair, (N, M)."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (found, wanted)]
    return 1 - unit[0] @ unit[1].T


def by_person(block: dict, boxes: np.ndarray) -> list[int]:
    """The track of each person, the same in the last four frames."""
    names = []
    for rows, own in zip(np.array(block["frames"][-4:]), boxes[-4:], strict=True):
        theirs, ours = rows[:, [1, 3]].mean(1), own[:, [0, 2]].mean(1)  # middles, pixels
        names.append(rows[np.abs(theirs - ours[:, None]).argmin(1), 0].astype(int).tolist())
    assert len(set(names[0])) == len(ours) and names == [names[0]] * 4
    return names[0]


def widened(boxes: np.ndarray) -> np.ndarray:
    """As Ultralytics cuts them out, in whole pixels."""
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    half = (size * 1.02 + 10) / 2
    return np.concatenate([middle - half, middle + half], 1).astype(int)


def test_the_page_names_the_versions_that_run(seen):
    for block in seen["blocks"]:
        package, own = block["package"], block["version"].rsplit(".", 1)[0]
        named = re.findall(rf"^## .*?\b{package} (\d+(?:\.\d+)?)", PAGE, re.M)
        assert named and all(f"{own}.".startswith(f"{one}.") for one in named), (package, own)


def test_no_block_raises(seen):
    assert [block["package"] for block in seen["blocks"] if "error" in block] == [], seen["blocks"]
    assert len(seen["blocks"]) == 6


def test_trackers_keep_people_apart_and_hold_the_models_vectors(seen, scene):
    """The last vector of each person's track is that of the person's box in the last frame."""
    wide = widened(np.load(scene[0])["boxes"][-1])
    frame = np.load(scene[0])["frames"][-1]
    cut = Appearance(reidkit.load(seen["model"], ["settings.device=cpu"]))(frame, wide)
    for block in seen["blocks"]:
        found = block["vectors"]
        if isinstance(found, dict):
            found = [found[str(name)] for name in by_person(block, scene[1])]
        elif any(block["frames"]):
            by_person(block, scene[1])
        wanted = cut if block["package"] == "ultralytics" else seen["appearance"]
        gap = gaps(found, wanted)
        assert np.diag(gap).max() < 2e-5 < 1e-2 < gap[0, 1], (block["package"], gap)


def test_boxmots_pipelines_get_the_same_vectors(seen):
    assert np.array_equal(seen["encoded"], seen["appearance"])
