#!/usr/bin/env python
"""Door to ``reidkit doctor``; see reidkit/cli/doctor.py."""

from reidkit.cli.common import door
from reidkit.cli.doctor import main

if __name__ == "__main__":
    door(main)
