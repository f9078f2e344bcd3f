"""Thresholds as people read them."""

from __future__ import annotations

from reidkit.evaluation.open_set.known import OpenSet

RATES = (0.01, 0.1)
FMR = 0.001


def threshold_table(known: OpenSet, sizes: tuple[int, ...] = ()) -> str:
    """Thresholds for usual rates and sizes of galleries, with their intervals.

    Args:
        known: distances of known people.
        sizes: identities of a gallery; default: 10, and as many as people are known but one.
    """
    people = f"{known.people} people {'trained on' if known.seen else 'held out'}"
    others = known.people - 1
    match = known.match_threshold(FMR)
    lines = [
        f"thresholds of {people}, {len(known.owner)} searches (distance, 95 % interval)",
        f"  two images match, FMR {FMR:g}: {match.value:.4f} ({match.low:.4f} to {match.high:.4f})",
    ]
    for size in sizes or sorted({min(10, others), others}):
        for rate in RATES:
            one = known.threshold(rate, size)
            note = "" if one.resolved else "  fewer than one person would be answered wrongly"
            lines.append(
                f"  gallery of {size}, FPIR {rate:g}: {one.value:.4f} "
                f"({one.low:.4f} to {one.high:.4f}){note}"
            )
    return "\n".join(lines)
