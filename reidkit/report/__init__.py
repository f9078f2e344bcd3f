"""Reports of runs: one HTML file that shows and explains a test, offline, for anybody.

`Source.open` reads a run folder, `write_report` makes the page of one run or of two.
"""

from reidkit.report.page import write_report
from reidkit.report.source import Source

__all__ = ["Source", "write_report"]
