#!/usr/bin/env python
"""A tracker of your own in forty lines, with a model of reidkit as its eye.

  python examples/tracker.py RUN video.mp4 detections.txt tracks.txt
  python examples/tracker.py osnet_x0_25 SEQUENCE det/det.txt tracks.txt weights=osnet_x0_25.pth

DETECTIONS is MOT's text file (frame, -1, left, top, width, height, ...); so is what is written. A
box goes on with the track whose appearance is nearest; tracks wait for a second. Real
trackers do more: docs/trackers.md gives them the same vectors."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

import reidkit
from reidkit.tracks import Appearance

WAIT, FAR, MIX = 25, 0.35, 0.9  # frames; cosine distance; weight of a track's past appearance


def main(model: str, video: str, detections: str, out: str, *more: str) -> None:
    """Track, and write the tracks."""
    weights = next((text[8:] for text in more if text.startswith("weights=")), None)
    overrides = [text for text in more if not text.startswith("weights=")]
    appearance = Appearance(reidkit.load(model, overrides, weights))
    table = np.loadtxt(detections, delimiter=",", ndmin=2)
    tracks: list[dict] = []
    lines = []
    for number, frame in enumerate(frames(video), 1):
        boxes = table[table[:, 0] == number, 2:6]
        vectors = appearance(frame, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1))
        waiting = [track for track in tracks if number - track["seen"] <= WAIT]
        known = np.array([track["vector"] for track in waiting]).reshape(
            len(waiting), vectors.shape[1]
        )
        distances = 1 - vectors @ known.T if waiting else np.empty((len(vectors), 0))
        pairs = dict(zip(*linear_sum_assignment(distances), strict=True))
        for row, (box, vector) in enumerate(zip(boxes, vectors, strict=True)):
            if row in pairs and distances[row, pairs[row]] <= FAR:
                track = waiting[pairs[row]]
                mixed = MIX * track["vector"] + (1 - MIX) * vector
                track.update(seen=number, vector=mixed / np.linalg.norm(mixed))
            else:
                track = dict(number=len(tracks) + 1, seen=number, vector=vector)
                tracks.append(track)
            cells = ",".join(f"{value:.1f}" for value in box)
            lines.append(f"{number},{track['number']},{cells},1,-1,-1,-1\n")
    Path(out).write_text("".join(lines))
    print(f"{out}: {len(tracks)} tracks")


def frames(video: str):
    """BGR frames of a video, or of a sequence's img1/."""
    place = Path(video, "img1/%06d.jpg") if Path(video).is_dir() else Path(video)
    reader = cv2.VideoCapture(str(place))
    while True:
        done, frame = reader.read()
        if not done:
            return
        yield frame


if __name__ == "__main__":
    main(*sys.argv[1:])
