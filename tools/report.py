#!/usr/bin/env python
"""Entry point of ``reidkit report``; see reidkit/cli/report.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.report import main

if __name__ == "__main__":
    entry_point(main)
