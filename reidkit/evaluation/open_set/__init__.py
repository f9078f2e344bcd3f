"""Searches in which the person may be absent: thresholds and probabilities at stated rates."""

from reidkit.evaluation.open_set.counts import CURVES
from reidkit.evaluation.open_set.known import FILE, OpenSet, Threshold
from reidkit.evaluation.open_set.shown import threshold_table
from reidkit.evaluation.open_set.tables import open_set

__all__ = ["CURVES", "FILE", "OpenSet", "Threshold", "open_set", "threshold_table"]
