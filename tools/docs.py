#!/usr/bin/env python
"""Door to ``reidkit docs``; see reidkit/cli/docs.py."""

from reidkit.cli.common import door
from reidkit.cli.docs import main

if __name__ == "__main__":
    door(main)
