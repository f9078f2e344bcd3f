#!/usr/bin/env python
"""Entry point of ``reidkit plugins``; see reidkit/cli/plugins.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.plugins import main

if __name__ == "__main__":
    entry_point(main)
