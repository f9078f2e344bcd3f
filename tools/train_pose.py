#!/usr/bin/env python
"""Door to ``reidkit train-pose``; see reidkit/cli/train_pose.py."""

from reidkit.cli.common import door
from reidkit.cli.train_pose import main

if __name__ == "__main__":
    door(main)
