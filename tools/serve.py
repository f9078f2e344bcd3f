#!/usr/bin/env python
"""Entry point of ``reidkit serve``; see reidkit/cli/serve.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.serve import main

if __name__ == "__main__":
    entry_point(main)
