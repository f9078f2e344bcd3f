"""Installed packages of others beside ours: the same arrays and images, each in its own process.

``serve`` is what such a process runs, with the interpreter of ``make peers``; ``with_<peer>`` says
how a peer does each task, ``with_reidkit`` how we do. ``inputs`` writes what all of them read.
"""

from reidkit.bench.peers.stage import run

__all__ = ["run"]
