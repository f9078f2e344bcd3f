"""Data: readers of real layouts, decoding, batch samplers, loaders, transforms on the device.

In reading order: ``split`` (what a list of crops is), ``reader`` and the readers of the layouts.
"""

from reidkit.data.market1501 import Market1501
from reidkit.data.reader import Reader
from reidkit.data.split import Split

__all__ = ["Market1501", "Reader", "Split"]
