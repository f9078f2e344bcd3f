"""The result of a ranking test: numbers, and what must stand beside them to compare them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TIE_WIDTH = 1e-4  # bounds are reported when ties could move a number by more
SHOWN_INVALID = 3
ANY = 3e38  # thresholds beyond accept every pair


@dataclass(frozen=True)
class RankingResult:
    """Scores of one test, as fractions in [0, 1].

    Attributes:
        metrics: "mAP" (step rule), "mAP_official" (trapezoid rule), "mINP", "R1", "R5", ...; of
            single-shot protocols only "R<k>"; the mean over trials if there are several.
        bounds: lowest and highest value of each metric over all orders of tied images.
        n_query: queries given, all trials together.
        n_valid: queries with at least one positive.
        n_gallery: gallery images without junk; of one trial, on average.
        n_junk: gallery images of identity -1, left out for every query.
        invalid: (query index, reason) of each query without a positive.
        policy: what invalid queries do to the means: "drop" or "zero".
        protocol: name and version, "market-v1".
        matcher: name of the distance, then of the re-ranking steps.
        per_query: columns of equal length, one row per query and trial: "AP", "AP_official", "INP",
            "first_rank" (or "R<k>", single-shot), NaN if invalid; "n_positives"; "query" (its row),
            "identity", "camera", "file" and, with several trials, "trial".
        data: data set and splits, as printed.
        n_trials: repetitions over which the metrics are means.
        spread: standard deviation of each metric over the trials; empty for one test.
        verification: TAR@FAR, EER and FNIR@FPIR with their thresholds, see `Verification`; of
            several trials the means.
        camera_pairs: mAP, R1 and valid queries of each pair of a query camera and a gallery camera.
        intervals: 95 % bootstrap interval of each metric over queries.
        hints: what about the test's options is worth a second look, a sentence each.
    """

    metrics: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    n_query: int
    n_valid: int
    n_gallery: int
    n_junk: int
    invalid: list[tuple[int, str]]
    policy: str
    protocol: str
    matcher: str
    per_query: dict[str, NDArray] = field(default_factory=dict, repr=False)
    data: str = ""
    n_trials: int = 1
    spread: dict[str, float] = field(default_factory=dict)
    verification: dict[str, Any] = field(default_factory=dict)
    camera_pairs: list[dict[str, Any]] = field(default_factory=list)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    hints: tuple[str, ...] = ()

    @property
    def tied(self) -> dict[str, tuple[float, float]]:
        """Bounds of the metrics that ties could move by more than 1e-4."""
        return {n: (lo, hi) for n, (lo, hi) in self.bounds.items() if hi - lo > TIE_WIDTH}

    def report(self) -> str:
        """A table in points (0..100), with protocol, counts, matcher, and bounds if ties matter."""
        first, last = ["mAP"], ["mINP", "mAP_official"]
        order = first + [n for n in self.metrics if n not in first + last] + last
        names = [n for n in order if n in self.metrics]
        rows = {"": names, "points": [f"{100 * self.metrics[n]:.2f}" for n in names]}
        if self.spread:
            rows["std over trials"] = [f"{100 * self.spread[n]:.2f}" for n in names]
        if self.intervals:
            rows["95 % from"] = [f"{100 * self.intervals[n][0]:.2f}" for n in names]
            rows["95 % to"] = [f"{100 * self.intervals[n][1]:.2f}" for n in names]
        if self.tied:
            rows["ties, worst"] = [f"{100 * self.bounds[n][0]:.2f}" for n in names]
            rows["ties, best"] = [f"{100 * self.bounds[n][1]:.2f}" for n in names]
        margin = max(map(len, rows))
        widths = [max(len(n), 6) for n in names]
        lines = []
        for label, cells in rows.items():
            padded = [f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)]
            lines.append("  ".join([f"{label:<{margin}}", *padded]))
        parts = [self._title(), *lines, *self._verified(), *self._by_cameras(), *self._notes()]
        return "\n".join(parts)

    def _verified(self) -> list[str]:
        figures = self.verification
        if not figures:
            return []
        genuine, impostor = figures["n_genuine"], figures["n_impostor"]
        head = f"{genuine:,.0f} genuine and {impostor:,.0f} impostor pairs: "
        if figures["eer"] is None:
            return [f"{head}both are needed for EER, TAR and FNIR"]
        eer, threshold = figures["eer"], figures["eer_threshold"]
        lines = [f"{head}EER {100 * eer:.2f} at distance {threshold:.4f}"]
        lines += [_at_rate("TAR", x, "tar", "FAR", "far") for x in figures["tar_at_far"]]
        missing = figures["searches_without_mate"]
        how = f"; {missing:,.0f} queries without mate" if missing else "; own identity left out"
        lines += [_at_rate("FNIR", x, "fnir", "FPIR", "fpir", how) for x in figures["fnir_at_fpir"]]
        return lines

    def _by_cameras(self) -> list[str]:
        if not self.camera_pairs:
            return []
        head = "camera of query, of gallery: queries, mAP, R1"
        return [head] + [
            f"  {x['query_camera']:>3} {x['gallery_camera']:>3}: {x['n_valid']:>6}  "
            f"{100 * x['mAP']:6.2f} {100 * x['R1']:6.2f}"
            for x in self.camera_pairs
        ]

    def _title(self) -> str:
        data = f"{self.data}: " if self.data else ""
        trials = f"{self.n_trials} trials, " if self.n_trials > 1 else ""
        return (
            f"{data}{trials}protocol {self.protocol}, {self.matcher}, "
            f"{self.n_valid} of {self.n_query} queries valid, gallery {self.n_gallery} "
            f"(+ {self.n_junk} junk)"
        )

    def _notes(self) -> list[str]:
        notes = list(self.hints)
        if self.tied:
            notes.append(
                "equal distances leave the ranking open: 'ties' are the extremes, the result takes "
                "them in gallery order"
            )
        if self.invalid:
            effect = {"drop": "not in the means", "zero": "count as 0"}[self.policy]
            notes.append(f"{len(self.invalid)} invalid queries ({effect}):")
            notes += [f"  query {i}: {reason}" for i, reason in self.invalid[:SHOWN_INVALID]]
            if len(self.invalid) > SHOWN_INVALID:
                notes.append(f"  and {len(self.invalid) - SHOWN_INVALID} more")
        return notes

    def to_json(self, path: str | Path | None = None) -> str:
        """Everything but the per-query values as JSON text; written to ``path`` too, if given."""
        content = asdict(self)
        del content["per_query"]
        text = json.dumps(content, indent=1, default=_plain)
        if path is not None:
            from reidkit.utils.io import atomic_write

            with atomic_write(path) as file:
                file.write(text.encode())
        return text


def _at_rate(name: str, entry: dict[str, Any], key: str, rate: str, at: str, how: str = "") -> str:
    """One line of verification: a share at a rate, and what was reached."""
    if entry[key] is None:
        return f"  {name} at {rate} {entry[at]:g}: no pairs to measure it with"
    far = f"distance {entry['threshold']:.4f}" if entry["threshold"] < ANY else "any distance"
    few = f"; {rate} reached: 0, pairs are too few or tied" if entry["reached"] == 0 else ""
    return f"  {name} {100 * entry[key]:.2f} at {rate} {entry[at]:g} ({far}{how}{few})"


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
