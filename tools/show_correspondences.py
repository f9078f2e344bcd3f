#!/usr/bin/env python
"""Door to ``reidkit show-correspondences``; see reidkit/cli/correspondences.py."""

from reidkit.cli.common import door
from reidkit.cli.correspondences import main

if __name__ == "__main__":
    door(main)
