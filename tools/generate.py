#!/usr/bin/env python
"""Entry point of ``reidkit generate``; see reidkit/cli/generate.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.generate import main

if __name__ == "__main__":
    entry_point(main)
