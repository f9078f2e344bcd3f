"""Data: readers of real layouts, decoding, batch samplers, loaders, transforms on the device.

In reading order: ``split`` (what a list of crops is), ``reader`` and the readers of the layouts,
``decode`` and ``crops`` (files to uint8 batches), ``tracklets``, ``frames`` and ``clips`` (video),
``samplers`` and ``pk_sampler``, ``loader`` (also over several domains), ``transforms`` (on the
device). Importing this package registers them all.
"""

from reidkit.data.clips import ClipBatches, ClipDataset
from reidkit.data.crops import CropDataset
from reidkit.data.datasets.coco_persons import CocoPersons
from reidkit.data.datasets.coco_tracks import CocoTracks
from reidkit.data.datasets.cuhk01 import CUHK01
from reidkit.data.datasets.cuhk03 import CUHK03
from reidkit.data.datasets.cuhk03np import CUHK03NP
from reidkit.data.datasets.dukemtmc import DukeMTMCreID, OccludedDuke
from reidkit.data.datasets.dukemtmcvideo import DukeMTMCVideoReID
from reidkit.data.datasets.grid import GRID
from reidkit.data.datasets.held_out import HeldOutIdentities
from reidkit.data.datasets.image_folder import ImageFolder
from reidkit.data.datasets.image_table import ImageTable
from reidkit.data.datasets.joined import JoinedSets
from reidkit.data.datasets.lsvid import LSVID
from reidkit.data.datasets.market1501 import Market1501
from reidkit.data.datasets.mars import MARS
from reidkit.data.datasets.mot_sequences import MOTSequences
from reidkit.data.datasets.msmt17 import MSMT17
from reidkit.data.datasets.partial import PartialILIDS, PartialREID
from reidkit.data.datasets.prid2011 import ILIDSVID, PRID2011
from reidkit.data.datasets.reader import Reader
from reidkit.data.datasets.rendered import ClonedPerson, RandPerson
from reidkit.data.datasets.vehicles import VehicleID, VeRi776
from reidkit.data.datasets.viper import VIPeR
from reidkit.data.datasets.wildlife import Wildlife
from reidkit.data.frames import AllFrames, DenseFrames, RandomFrames
from reidkit.data.loader import DomainLoader, make_loader
from reidkit.data.pk_sampler import PKSampler
from reidkit.data.readable import check_readable
from reidkit.data.samplers import BatchSampler, ShuffleSampler
from reidkit.data.split import Split, Trial
from reidkit.data.tracklets import TrackletSplit
from reidkit.data.transforms import (
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomFlip,
)

__all__ = [
    "AllFrames",
    "CUHK01",
    "CUHK03",
    "GRID",
    "BatchSampler",
    "CUHK03NP",
    "ClipBatches",
    "ClipDataset",
    "ClonedPerson",
    "CocoPersons",
    "CocoTracks",
    "ColorJitter",
    "CropDataset",
    "DenseFrames",
    "DomainLoader",
    "DukeMTMCVideoReID",
    "DukeMTMCreID",
    "ILIDSVID",
    "HeldOutIdentities",
    "ImageFolder",
    "ImageTable",
    "JoinedSets",
    "LSVID",
    "MARS",
    "MOTSequences",
    "MSMT17",
    "Market1501",
    "Normalize",
    "OccludedDuke",
    "PKSampler",
    "PRID2011",
    "PartialILIDS",
    "PartialREID",
    "RandPerson",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomFrames",
    "Reader",
    "ShuffleSampler",
    "Split",
    "TrackletSplit",
    "Trial",
    "VIPeR",
    "VeRi776",
    "VehicleID",
    "Wildlife",
    "check_readable",
    "make_loader",
]
