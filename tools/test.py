#!/usr/bin/env python
"""Door to ``reidkit test``; see reidkit/cli/test.py."""

from reidkit.cli.common import door
from reidkit.cli.test import main

if __name__ == "__main__":
    door(main)
