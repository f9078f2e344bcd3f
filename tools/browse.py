#!/usr/bin/env python
"""Entry point of ``reidkit browse``; see reidkit/cli.browse.py."""

from reidkit.cli.browse import main
from reidkit.cli.common import entry_point

if __name__ == "__main__":
    entry_point(main)
