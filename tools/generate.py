#!/usr/bin/env python
"""Door to ``reidkit generate``; see reidkit/cli/generate.py."""

from reidkit.cli.common import door
from reidkit.cli.generate import main

if __name__ == "__main__":
    door(main)
