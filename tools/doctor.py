#!/usr/bin/env python
"""Entry point of ``reidkit doctor``; see reidkit/cli/doctor.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.doctor import main

if __name__ == "__main__":
    entry_point(main)
