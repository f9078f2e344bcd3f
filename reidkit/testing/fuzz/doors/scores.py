"""Labelled features with the score that they must get, by a plain computation of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

CLOSE = 1e-5  # between float32 and float64 distances of random features


@dataclass(frozen=True)
class Labelled:
    """Images with features, as people keep them in tables: one row per image.

    Shape:
        features (N, D) float64; people, cameras (N,) int64; split N of "query" and "gallery".
    """

    features: np.ndarray
    people: np.ndarray
    cameras: np.ndarray
    split: list[str]
    files: list[str]

    def __len__(self) -> int:
        return len(self.files)

    def rows(self, order: Any) -> Labelled:
        """Some rows, in an order."""
        order = [int(i) for i in order]
        return Labelled(
            self.features[order], self.people[order], self.cameras[order],
            [self.split[i] for i in order], [self.files[i] for i in order],
        )  # fmt: skip

    def score(self, marked: bool = False) -> dict[str, float] | None:
        """mAP and R1 by the protocol of Market-1501 and cosine distance; None without a query.

        Args:
            marked: -1 marks junk and 0 distractors; else 0 is a person like others.
        """
        unit = self.features / np.linalg.norm(self.features, axis=1, keepdims=True)
        query = [i for i, name in enumerate(self.split) if name in ("query", "both")]
        gallery = [i for i, name in enumerate(self.split) if name in ("gallery", "both")]
        precision, first = [], []
        for q in query:
            kept = [
                g
                for g in gallery
                if not (marked and self.people[g] == -1)
                and not (self.people[g] == self.people[q] and self.cameras[g] == self.cameras[q])
            ]
            ranked = sorted(kept, key=lambda g: 1 - float(unit[q] @ unit[g]))
            right = np.array([self.people[g] == self.people[q] for g in ranked], bool)
            if (marked and self.people[q] <= 0) or not right.any():
                continue
            hits = np.flatnonzero(right)
            precision.append(float(np.mean(np.arange(1, len(hits) + 1) / (hits + 1))))
            first.append(float(hits[0] == 0))
        if not precision:
            return None
        return {"mAP": float(np.mean(precision)), "R1": float(np.mean(first))}


def labelled(rng: Random) -> Labelled:
    """Random features of a few people under three cameras, right to about two thirds."""
    draw = np.random.default_rng(rng.randrange(2**32))
    count, dims = rng.randrange(24, 48), rng.choice((4, 8, 16))
    people = np.arange(count) % 6 + 1
    cameras = np.arange(count) // 6 % 3
    centres = draw.standard_normal((7, dims))
    features = centres[people] + draw.standard_normal((count, dims))
    split = ["query" if i < count // 3 else "gallery" for i in range(count)]
    files = [
        f"{p:04d}_c{c}_{i:03d}.jpg" for i, (p, c) in enumerate(zip(people, cameras, strict=True))
    ]
    return Labelled(features, people, cameras, split, files)


def relabelled(data: Labelled, rng: Random, marked: bool) -> Labelled:
    """Other people, cameras or sides for a few rows: data of its own, with a score of its own.

    Args:
        data: to be changed.
        rng: draws.
        marked: with junk and distractors.
    """
    people, cameras, split = data.people.copy(), data.cameras.copy(), list(data.split)
    for row in rng.sample(range(len(data)), 5):
        people[row] = rng.choice(((-1, 0) if marked else (0, 3)) + (1, 2, 6, 7, 2**40))
        cameras[row] = rng.choice((0, 1, 2, 30))
        split[row] = rng.choice(("query", "gallery", "train"))
    return replace(data, people=people, cameras=cameras, split=split)


def difference(found: dict[str, Any], wanted: dict[str, float] | None) -> str:
    """What is wrong with metrics; empty when they are right.

    Args:
        found: metric -> value in [0, 1].
        wanted: of ``Labelled.score``.
    """
    if wanted is None:
        return f"a score of {found} where no query has a mate"
    for name, value in wanted.items():
        if name not in found or not abs(found[name] - value) < CLOSE:
            return f"{name} is {found.get(name)}, right is {value:.6f}"
    return ""


def write_npz(path: Path, data: Labelled, **more: Any) -> None:
    """Features alone, or with further arrays."""
    np.savez(path, features=data.features.astype(np.float32), **more)


def write_csv(path: Path, columns: dict[str, list], ending: str = "\n", mark: bool = False) -> None:
    """A table, one row per image."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    text = ending.join(",".join(map(_cell, row)) for row in rows) + ending
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode("utf-8", "surrogateescape"))


def _cell(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text


def columns_of(data: Labelled) -> dict[str, list]:
    """The columns of a table of labels."""
    return dict(
        identity=data.people.tolist(), camera=data.cameras.tolist(), split=data.split,
        file=data.files,
    )  # fmt: skip
