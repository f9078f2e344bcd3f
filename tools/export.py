#!/usr/bin/env python
"""Entry point of ``reidkit export``; see reidkit/cli/export.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.export import main

if __name__ == "__main__":
    entry_point(main)
