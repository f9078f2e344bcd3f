#!/usr/bin/env python
"""People enrolled from folders, calibrated, searched for, and one of them erased.

  python examples/gallery.py RUN people crops/enrolled crops/known crops/queries
  python examples/gallery.py osnet_x0_25 people ENROLLED KNOWN QUERIES weights=osnet_x0_25.pth

ENROLLED and KNOWN hold a folder of images for each person; those of KNOWN are other people, whom
the model has not seen either. QUERIES holds images."""

from __future__ import annotations

import sys
from pathlib import Path

import reidkit
from reidkit.gallery import Gallery


def crops(folder: str) -> tuple[list[str], list[str]]:
    """Files of a folder with a folder for each person, and whom each shows."""
    files = sorted(Path(folder).glob("*/*.[jp][pn]g"))
    return [str(file) for file in files], [file.parent.name for file in files]


def main(model: str, folder: str, enrolled: str, known: str, queries: str, *more: str) -> None:
    """Enrol, calibrate, search, erase."""
    weights = next((text[8:] for text in more if text.startswith("weights=")), None)
    overrides = [text for text in more if not text.startswith("weights=")]
    gallery = Gallery(folder, reidkit.load(model, overrides, weights), retention_days=30)

    files, people = crops(enrolled)
    gallery.enrol(people, files, source="given by themselves, for this example")

    files, people = crops(known)
    numbers = {name: number for number, name in enumerate(sorted(set(people)), 1)}
    gallery.calibrate([numbers[name] for name in people], files)

    files = [str(file) for file in sorted(Path(queries).glob("*.[jp][pn]g"))]
    for file, answer in zip(files, gallery.search(files, fpir=0.1), strict=True):
        print(f"{file}: {answer.identity}, {answer.distance:.3f}, p {answer.probability:.2f}")
        print(f"  because of {answer.images[0].path}")

    first = gallery.identities[0]
    print(f"{first} erased: {gallery.erase(first)}")
    gallery.verify()


if __name__ == "__main__":
    main(*sys.argv[1:])
