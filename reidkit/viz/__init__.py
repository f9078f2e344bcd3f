"""Pictures for people: ranked lists, part labels, training curves.

`rank_sheet` shows queries with what was found, `part_sheet` crops with their part labels,
`match_sheet` the local matches behind a distance, `curve` numbers over iterations, `panels` those
that are measured at irregular intervals. Sheets are drawn with OpenCV and PIL on a plain `Canvas`.
"""

from reidkit.viz.canvas import Canvas
from reidkit.viz.curves import curve, panels
from reidkit.viz.matches import match_sheet
from reidkit.viz.parts import part_sheet
from reidkit.viz.ranks import rank_sheet

__all__ = ["Canvas", "curve", "match_sheet", "panels", "part_sheet", "rank_sheet"]
