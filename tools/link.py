#!/usr/bin/env python
"""Entry point of ``reidkit link``; see reidkit/cli/link.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.link import main

if __name__ == "__main__":
    entry_point(main)
