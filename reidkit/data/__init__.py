"""Data: readers of real layouts, decoding, batch samplers, loaders, transforms on the device.

In reading order: ``split`` (what a list of crops is), ``reader`` and the readers of the layouts,
``decode`` and ``crops`` (files to uint8 batches), ``samplers``, ``loader`` (also over several
domains), ``transforms`` (on the device). Importing this package registers them all.
"""

from reidkit.data.crops import CropDataset
from reidkit.data.loader import DomainLoader, make_loader
from reidkit.data.market1501 import Market1501
from reidkit.data.reader import Reader
from reidkit.data.samplers import BatchSampler, PKSampler, ShuffleSampler
from reidkit.data.split import Split
from reidkit.data.transforms import (
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomFlip,
)

__all__ = [
    "BatchSampler",
    "ColorJitter",
    "CropDataset",
    "DomainLoader",
    "Market1501",
    "Normalize",
    "PKSampler",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "Reader",
    "ShuffleSampler",
    "Split",
    "make_loader",
]
