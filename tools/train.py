#!/usr/bin/env python
"""Door to ``reidkit train``; see reidkit/cli/train.py."""

from reidkit.cli.common import door
from reidkit.cli.train import main

if __name__ == "__main__":
    door(main)
