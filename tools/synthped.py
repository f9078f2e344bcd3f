"""Render SynthPed and its contact sheet; see ``--help``."""

from reidkit.cli.common import door
from reidkit.cli.synthped import main

if __name__ == "__main__":
    door(main)
