#!/usr/bin/env python
"""Entry point of ``reidkit synthped``; see reidkit/cli/synthped.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.synthped import main

if __name__ == "__main__":
    entry_point(main)
