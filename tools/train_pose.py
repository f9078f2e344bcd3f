#!/usr/bin/env python
"""Entry point of ``reidkit train-pose``; see reidkit/cli/train_pose.py."""

from reidkit.cli.common import entry_point
from reidkit.cli.train_pose import main

if __name__ == "__main__":
    entry_point(main)
