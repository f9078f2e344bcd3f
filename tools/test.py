#!/usr/bin/env python
"""Entry point of ``reidkit test``; see reidkit/cli/test.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.test import main

if __name__ == "__main__":
    entry_point(main)
