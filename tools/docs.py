#!/usr/bin/env python
"""Entry point of ``reidkit docs``; see reidkit/cli/docs.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.docs import main

if __name__ == "__main__":
    entry_point(main)
