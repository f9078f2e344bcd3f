#!/usr/bin/env python
"""Entry point of ``reidkit bench``; see reidkit/cli/bench.py."""

from reidkit.cli.bench import main
from reidkit.cli.common import entry_point

if __name__ == "__main__":
    entry_point(main)
