#!/usr/bin/env python
"""Entry point of ``reidkit train``; see reidkit/cli/train.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.train import main

if __name__ == "__main__":
    entry_point(main)
