"""A campaign against every door of reidkit: what comes from outside ends in words or is right.

A *door* (``doors/``) is a way in: a command or a function that reads something of a stranger's. It
makes *cases* from seeds: valid inputs, damaged in a seeded way, with what a right answer would be
where that is known. ``child.py`` opens the door with a case in a forked child, bounded in time and
memory, beside files that nobody may touch. ``campaign.py`` does so for a while and counts.
"""

from reidkit.testing.fuzz.campaign import DOORS, Campaign, failures, table

__all__ = ["DOORS", "Campaign", "failures", "table"]
