#!/usr/bin/env python
"""Does `reidkit link` help? Rendered footage of several cameras, linked, scored by other packages.

  python tools/link_rates.py render FOLDER --walks 0 1 2 3 4
  python tools/link_rates.py link FOLDER --model RUN [key=value ...] [options of reidkit link]
  python tools/link_rates.py score FOLDER

`score` imports nothing of reidkit: it runs in any environment with trackeval and reid-hota. Every
walk (12 people, 3 cameras) is scored as one sequence, its cameras one after the other: the tracks'
own numbers, and those of `linked/`. Truth counts bodies of which at least 10 % are seen."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np

CAMERAS = (1, 2, 3)
METRICS = (
    "IDF1", "HOTA", "AssA", "DetA", "HOTA (reid-hota)", "IDF1 (reid-hota)",
    "IDF1 in a camera", "HOTA in a camera",
)  # fmt: skip


def main() -> int:
    """Render, link or score."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("step", choices=("render", "link", "score"))
    command.add_argument("folder", type=Path)
    command.add_argument("--walks", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    command.add_argument("--preset", default="standard")
    command.add_argument("--seed", type=int, default=0, help="of the world: people and cameras")
    command.add_argument("--name", default="linked", help="folder in each walk's")
    args, rest = command.parse_known_args()
    return dict(render=_render, link=_link, score=_score)[args.step](args, rest)


def _render(args: argparse.Namespace, rest: list[str]) -> int:
    from reidkit.synthped.footage import Footage
    from reidkit.synthped.footage_files import write_footage

    for walk in args.walks:
        options = dict(walk=walk, preset=args.preset, seed=args.seed)
        write_footage(args.folder / f"walk{walk}", [Footage(c, **options) for c in CAMERAS])
    return 0


def _link(args: argparse.Namespace, rest: list[str]) -> int:
    from reidkit.synthped.footage import Footage

    for folder in _walks(args.folder):
        places = [folder / f"cam{camera}" for camera in CAMERAS]
        starts = [str(Footage(camera).start) for camera in CAMERAS]
        tool = [sys.executable, str(Path(__file__).with_name("link.py"))]
        tracks = [str(place / "tracks.txt") for place in places]
        more = ["--videos", *map(str, places), "--starts", *starts]
        out = ["--out", str(folder / args.name)]
        done = subprocess.run([*tool, *tracks, *more, *out, *rest])
        if done.returncode:
            return done.returncode
    return 0


def _score(args: argparse.Namespace, rest: list[str]) -> int:
    table = []
    for folder in _walks(args.folder):
        truth, own, linked = [], [], []
        for camera in CAMERAS:
            place = folder / f"cam{camera}"
            gt = _read(place / "gt/gt.txt")
            truth.append(gt[gt[:, 6] > 0])
            own.append(_read(place / "tracks.txt"))
            own[-1][:, 1] += 1000 * camera  # no number is that of another camera's track
            linked.append(_read(folder / args.name / f"{place.name}.txt"))
        pieces = np.unique(np.concatenate(own)[:, 1]).size
        people = np.unique(np.concatenate(truth)[:, 1]).size
        ids = np.unique(np.concatenate(linked)[:, 1]).size
        rows = [_scores(truth, tracks) for tracks in (own, linked)]
        table.append(rows)
        print(f"{folder.name}: {people} people, {pieces} tracks, {ids} identities", flush=True)
        for name, row in zip(("own", "linked"), rows, strict=True):
            cells = [f"{m} {100 * v:.1f}" for m, v in zip(METRICS, row, strict=True)]
            print(f"  {name:<7}" + "  ".join(cells))
    gains = 100 * np.array([np.subtract(linked, own) for own, linked in table])
    with open(args.folder / f"{args.name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("walk", "ids", *METRICS))
        for folder, rows in zip(_walks(args.folder), table, strict=True):
            for name, row in zip(("own", "linked"), rows, strict=True):
                writer.writerow((folder.name, name, *(f"{100 * v:.2f}" for v in row)))
    for place, metric in enumerate(METRICS):
        column = gains[:, place]
        print(f"gain of {metric}: mean {column.mean():.1f}, smallest {column.min():.1f}")
    return 0


def _walks(folder: Path) -> list[Path]:
    return sorted(folder.glob("walk*"), key=lambda one: int(one.name[4:]))


def _read(file: Path) -> np.ndarray:
    return np.array([[float(c) for c in line.split(",")[:7]] for line in open(file)])


def _scores(truth: list[np.ndarray], tracks: list[np.ndarray]) -> list[float]:
    """Of all cameras as one sequence, in the order of METRICS."""
    alone = [_trackeval([gt], [own])[:2] for gt, own in zip(truth, tracks, strict=True)]
    means = np.mean(alone, axis=0).tolist()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        return [*_trackeval(truth, tracks), *_reid_hota(truth, tracks), *means]


def _trackeval(truth: list[np.ndarray], tracks: list[np.ndarray]) -> list[float]:
    """IDF1, and HOTA, AssA and DetA as means over the thresholds of overlap."""
    from trackeval.metrics import HOTA, Identity

    data = _trackeval_data(truth, tracks)
    hota = HOTA().eval_sequence(data)
    identity = Identity(dict(PRINT_CONFIG=False)).eval_sequence(data)
    return [float(identity["IDF1"]), *(float(hota[n].mean()) for n in ("HOTA", "AssA", "DetA"))]


def _trackeval_data(truth: list[np.ndarray], tracks: list[np.ndarray]) -> dict:
    """What TrackEval's metrics want of a sequence: ids from 0, similarities frame by frame."""
    sides = [
        np.unique(np.concatenate(one)[:, 1], return_inverse=True)[1] for one in (truth, tracks)
    ]
    ids = [np.split(n, np.cumsum([len(c) for c in one])[:-1])
           for n, one in zip(sides, (truth, tracks), strict=True)]  # fmt: skip
    data: dict = dict(gt_ids=[], tracker_ids=[], similarity_scores=[])
    for place, (gt, own) in enumerate(zip(truth, tracks, strict=True)):
        for frame in range(1, int(max(gt[:, 0].max(), own[:, 0].max())) + 1):
            there, here = gt[:, 0] == frame, own[:, 0] == frame
            data["gt_ids"].append(ids[0][place][there])
            data["tracker_ids"].append(ids[1][place][here])
            data["similarity_scores"].append(_iou(gt[there, 2:6], own[here, 2:6]))
    data["num_timesteps"] = len(data["gt_ids"])
    for name, side in (("gt", 0), ("tracker", 1)):
        data[f"num_{name}_ids"] = int(sides[side].max()) + 1
        data[f"num_{name}_dets"] = len(sides[side])
    return data


def _iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    ends = [one[:, :2] + one[:, 2:] for one in (first, second)]
    size = np.clip(np.minimum(ends[0][:, None], ends[1][None]) - low, 0, None).prod(2)
    areas = [one[:, 2:].prod(1) for one in (first, second)]
    return size / (areas[0][:, None] + areas[1][None] - size)


def _reid_hota(truth: list[np.ndarray], tracks: list[np.ndarray]) -> list[float]:
    """Global HOTA and IDF1, every camera a video."""
    import pandas as pd
    from reid_hota import HOTAConfig, HOTAReIDEvaluator

    def frames(sides: list[np.ndarray]) -> dict:
        names = ["frame", "id", "x1", "y1", "x2", "y2"]
        tables = {}
        for place, rows in enumerate(sides):
            boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], 1)
            table = pd.DataFrame(np.concatenate([rows[:, :2], boxes], 1), columns=names)
            table = table.astype({"frame": int, "id": int})
            tables[f"cam{place}"] = table.assign(object_type=1)
        return tables

    config = HOTAConfig(
        id_alignment_method="global", similarity_metric="iou",
        reference_contains_dense_annotations=True,
    )  # fmt: skip
    evaluator = HOTAReIDEvaluator(n_workers=1, config=config)
    evaluator.evaluate(frames(truth), frames(tracks))
    found = evaluator.get_global_hota_data()
    return [float(np.mean(found[name])) for name in ("HOTA", "IDF1")]


if __name__ == "__main__":
    sys.exit(main())
