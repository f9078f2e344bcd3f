#!/usr/bin/env python
"""Entry point of ``reidkit extract``; see reidkit/cli/extract.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.extract import main

if __name__ == "__main__":
    entry_point(main)
