"""The card of an exported file: what it takes, what it gives, what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PIXELS = {
    "float": "float32 RGB, 0..1",
    "uint8": "uint8 RGB, 0..255",
    "imagenet": "float32 RGB, 0..1, then normalised by ImageNet's mean and std",
}


def card(title: str, facts: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        title: of the file.
        facts: of ``export.json``.
    """
    height, width = facts["size"]
    sides = "H, W" if facts["any_size"] else f"{height}, {width}"
    rows = [f"| images | (N, 3, {sides}) {PIXELS[facts['pixels']]} | in |"]
    if facts["keypoints"]:
        joints = "(N, 17, 3) float32: x, y in pixels of the images, confidence; COCO's order"
        rows.append(f"| keypoints | {joints} | in |")
    for name, shape in facts["outputs"].items():
        rows.append(f"| {name} | (N, {', '.join(map(str, shape))}) float32 | out |")
    return (
        "\n\n".join(
            [
                f"# {title}",
                f"{facts['format']}, {facts['bits']}, written by reidkit {facts['reidkit']}. "
                f"{_sizes(facts)} Any number of images. Compared by {facts['matcher']}.",
                "\n".join(["| tensor | shape and type | |", "|---|---|---|", *rows]),
                *_vectors(facts),
                "## Measured",
                "\n".join(_measured(facts)),
            ]
        )
        + "\n"
    )


def _sizes(facts: Mapping[str, Any]) -> str:
    height, width = facts["size"]
    if facts["any_size"]:
        return f"Images of any size are resized to {height}x{width} and normalised inside."
    return f"Images of {height}x{width} pixels are normalised inside."


def _vectors(facts: Mapping[str, Any]) -> Iterator[str]:
    if not facts["parts"]:
        yield "There is no vector: maps are compared cell by cell, which needs reidkit's matcher."
    elif facts["parts"] > 1:
        how = "as the model gives them" if facts["lengths"] else "each of the same length"
        yield (
            f"The embedding holds the vectors of {facts['parts']} parts one after the other, {how}."
        )


def _measured(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, gap in facts["gap"].items():
        what = "difference" if name == "visibility" else "1 - cosine"
        yield (
            f"- {name}: largest {what} to the model {gap:.2g}, on {facts['crops']} crops "
            f"({facts['compared_on']})"
        )
    tests = facts.get("test", {})
    for test in tests.values():
        yield (
            f"- mAP on {test['data']}: model {test['model']:.3f}, file {test['file']:.3f}, "
            f"difference {test['difference']:+.3f} points"
        )
    if not tests:
        yield "- mAP was not compared (`--test` does)"
