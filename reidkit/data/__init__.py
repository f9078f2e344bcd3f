"""Data: readers of real layouts, decoding, batch samplers, loaders, transforms on the device.

In reading order: ``split`` (what a list of crops is), ``reader`` and the readers of the layouts,
``decode`` and ``crops`` (files to uint8 batches), ``samplers``, ``loader`` (also over several
domains), ``transforms`` (on the device). Importing this package registers them all.
"""

from reidkit.data.coco_persons import CocoPersons
from reidkit.data.crops import CropDataset
from reidkit.data.cuhk03np import CUHK03NP
from reidkit.data.dukemtmc import DukeMTMCreID, OccludedDuke
from reidkit.data.image_folder import ImageFolder
from reidkit.data.loader import DomainLoader, make_loader
from reidkit.data.market1501 import Market1501
from reidkit.data.msmt17 import MSMT17
from reidkit.data.partial import PartialILIDS, PartialREID
from reidkit.data.reader import Reader
from reidkit.data.rendered import ClonedPerson, RandPerson
from reidkit.data.samplers import BatchSampler, PKSampler, ShuffleSampler
from reidkit.data.split import Split, Trial
from reidkit.data.synthped.reader import SynthPed
from reidkit.data.transforms import (
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomFlip,
)

__all__ = [
    "BatchSampler",
    "CUHK03NP",
    "ClonedPerson",
    "CocoPersons",
    "ColorJitter",
    "CropDataset",
    "DomainLoader",
    "DukeMTMCreID",
    "ImageFolder",
    "MSMT17",
    "Market1501",
    "Normalize",
    "OccludedDuke",
    "PKSampler",
    "PartialILIDS",
    "PartialREID",
    "RandPerson",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "Reader",
    "ShuffleSampler",
    "Split",
    "SynthPed",
    "Trial",
    "make_loader",
]
