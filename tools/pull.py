#!/usr/bin/env python
"""Entry point of ``reidkit pull``; see reidkit/cli/pull.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.pull import main

if __name__ == "__main__":
    entry_point(main)
