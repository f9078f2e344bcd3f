#!/usr/bin/env python
"""Entry point of ``reidkit reproduce``; see reidkit/cli/reproduce.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.reproduce import main

if __name__ == "__main__":
    entry_point(main)
