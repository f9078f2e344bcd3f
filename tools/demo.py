#!/usr/bin/env python
"""Entry point of ``reidkit demo``; see reidkit/cli/demo.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.demo import main

if __name__ == "__main__":
    entry_point(main)
