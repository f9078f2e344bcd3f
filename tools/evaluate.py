#!/usr/bin/env python
"""Door to ``reidkit evaluate``; see reidkit/cli/evaluate.py."""

from reidkit.cli.common import door
from reidkit.cli.evaluate import main

if __name__ == "__main__":
    door(main)
