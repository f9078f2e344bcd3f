#!/usr/bin/env python
"""Door to ``reidkit bench``; see reidkit/cli/bench.py."""

from reidkit.cli.bench import main
from reidkit.cli.common import door

if __name__ == "__main__":
    door(main)
