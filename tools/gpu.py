#!/usr/bin/env python
"""Entry point of ``reidkit gpu``; see reidkit/cli/gpu.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.gpu import main

if __name__ == "__main__":
    entry_point(main)
