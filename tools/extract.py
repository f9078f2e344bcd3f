#!/usr/bin/env python
"""Door to ``reidkit extract``; see reidkit/cli/extract.py."""

from reidkit.cli.common import door
from reidkit.cli.extract import main

if __name__ == "__main__":
    door(main)
