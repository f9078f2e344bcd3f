#!/usr/bin/env python
"""Entry point of ``reidkit show-correspondences``; see reidkit/cli/show_correspondences.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.show_correspondences import main

if __name__ == "__main__":
    entry_point(main)
