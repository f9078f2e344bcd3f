#!/usr/bin/env python
"""Door to ``reidkit labels``; see reidkit/cli/labels.py."""

from reidkit.cli.common import door
from reidkit.cli.labels import main

if __name__ == "__main__":
    door(main)
