#!/usr/bin/env python
"""Door to ``reidkit compare``; see reidkit/cli/compare.py."""

from reidkit.cli.common import door
from reidkit.cli.compare import main

if __name__ == "__main__":
    door(main)
