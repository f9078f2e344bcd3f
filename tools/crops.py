#!/usr/bin/env python
"""Entry point of ``reidkit crops``; see reidkit/cli/crops.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.crops import main

if __name__ == "__main__":
    entry_point(main)
