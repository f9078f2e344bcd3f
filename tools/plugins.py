#!/usr/bin/env python
"""Door to ``reidkit plugins``; see reidkit/cli/plugins.py."""

from reidkit.cli.common import door
from reidkit.cli.plugins import main

if __name__ == "__main__":
    door(main)
