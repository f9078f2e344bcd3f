"""Identities of tracks: what a tracker gave for several cameras, joined by appearance.

In reading order: ``cameras`` (tracks and the video they are in), ``tracklets`` (which boxes are
looked at, embeddings, distances), ``clustering``, ``threshold``, ``linking``, ``output``.
"""

from reidkit.tracks.cameras import CameraTracks
from reidkit.tracks.linking import Linked, link

__all__ = ["CameraTracks", "Linked", "link"]
