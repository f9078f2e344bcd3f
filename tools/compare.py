#!/usr/bin/env python
"""Entry point of ``reidkit compare``; see reidkit/cli/compare.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.compare import main

if __name__ == "__main__":
    entry_point(main)
