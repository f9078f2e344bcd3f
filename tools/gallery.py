#!/usr/bin/env python
"""Entry point of ``reidkit gallery``; see reidkit/cli/gallery.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.gallery import main

if __name__ == "__main__":
    entry_point(main)
