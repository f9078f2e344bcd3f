"""Identities of tracks: what a tracker gave for several cameras, joined by appearance.

In reading order: ``cameras`` (tracks and the video they are in), ``tracklets`` (which boxes are
looked at, embeddings, distances), ``clustering``, ``threshold``, ``linking``, ``output``;
``appearance`` is for trackers while they run.
"""

from reidkit.tracks.appearance import Appearance
from reidkit.tracks.cameras import CameraTracks
from reidkit.tracks.linking import Linked, link

__all__ = ["Appearance", "CameraTracks", "Linked", "link"]
