"""The table that every benchmark prints: what it was compared with, both numbers, the ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison.

    Args:
        name: what was measured.
        baseline_name: the straightforward way, or the peer, that it is compared with.
        baseline: its number.
        ours: ours.
        unit: "img/s", "s", "MB", ...
        higher_is_better: False for seconds and bytes; the ratio is always "times better".

    Example:
        >>> Row("decode", "PIL", 2000.0, 9000.0, "img/s").ratio
        4.5
        >>> Row("rank", "argsort", 3.0, 1.5, "s", higher_is_better=False).ratio
        2.0
    """

    name: str
    baseline_name: str
    baseline: float
    ours: float
    unit: str
    higher_is_better: bool = True

    @property
    def ratio(self) -> float:
        """How many times better than the baseline; more is better."""
        best, worst = (self.ours, self.baseline)
        if not self.higher_is_better:
            best, worst = worst, best
        return best / worst if worst else float("inf")


def render(rows: Sequence[Row], title: str = "") -> str:
    """The comparisons as aligned text.

    Example:
        >>> print(render([Row("decode", "PIL", 2000.0, 9000.0, "img/s")]))
        what    against  baseline   ours  unit   ratio
        decode  PIL         2,000  9,000  img/s  4.50x
    """
    head = ("what", "against", "baseline", "ours", "unit", "ratio")
    body = [
        (r.name, r.baseline_name, _number(r.baseline), _number(r.ours), r.unit, f"{r.ratio:.2f}x")
        for r in rows
    ]
    widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
    right = (2, 3, 5)
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (head, *body)
    ]
    return "\n".join([title, *lines] if title else lines)


def _number(value: float) -> str:
    """Four significant digits, thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.4g}"
