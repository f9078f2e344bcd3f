#!/usr/bin/env python
"""Entry point of ``reidkit save``; see reidkit/cli/save.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.save import main

if __name__ == "__main__":
    entry_point(main)
