#!/usr/bin/env python
"""Tracks of several cameras, as a tracker broke them, become people.

  python examples/link.py RUN RECORDINGS linked              a run of data=synthped_val
  python examples/link.py osnet_x0_25 RECORDINGS linked weights=osnet_x0_25.pth threshold=0.3

RECORDINGS holds a folder for each camera, with img1/, seqinfo.ini and a tracker's tracks.txt.
Rendered ones: python tools/link_rates.py render FOLDER --walks 0, and FOLDER/walk0."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import reidkit
from reidkit.tracks import CameraTracks, link


def main(model: str, recordings: str, out: str, *more: str) -> None:
    """Link, write, and say who was where."""
    options = dict(text.split("=", 1) for text in more)
    weights, threshold = options.pop("weights", None), options.pop("threshold", None)
    overrides = [f"{name}={value}" for name, value in options.items()]
    cameras = [
        CameraTracks.read(file, file.parent, number)
        for number, file in enumerate(sorted(Path(recordings).glob("*/tracks.txt")), 1)
    ]
    extractor = reidkit.load(model, overrides, weights)
    linked = link(cameras, extractor, None if threshold is None else float(threshold))
    linked.write(out)

    count = len(set(linked.identities.tolist()))
    print(f"{len(linked.tracklets)} tracks are {count} people, {linked.source}")
    with open(Path(out, "identities.csv")) as table:
        for row in csv.DictReader(table):
            print(f"  {row['camera']}, track {row['track']}: person {row['identity']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
