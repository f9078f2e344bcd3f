#!/usr/bin/env python
"""Entry point of ``reidkit evaluate``; see reidkit/cli/evaluate.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.evaluate import main

if __name__ == "__main__":
    entry_point(main)
