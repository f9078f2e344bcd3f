#!/usr/bin/env python
"""Door to ``reidkit reproduce``; see reidkit/cli/reproduce.py."""

from reidkit.cli.common import door
from reidkit.cli.reproduce import main

if __name__ == "__main__":
    door(main)
