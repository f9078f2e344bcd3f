#!/usr/bin/env python
"""Entry point of ``reidkit generate-part-labels``; see reidkit/cli/generate_part_labels.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.generate_part_labels import main

if __name__ == "__main__":
    entry_point(main)
