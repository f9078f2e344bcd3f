#!/usr/bin/env python
"""Entry point of ``reidkit push``; see reidkit/cli/push.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.push import main

if __name__ == "__main__":
    entry_point(main)
