"""The tiny data set, rendered once."""

from reidkit.testing.fixtures import tiny_synthped

__all__ = ["tiny_synthped"]
