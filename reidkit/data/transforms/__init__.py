"""Batch transforms: they run where the batch is, all images at once, uint8 until ``Normalize``.

Every random number is drawn on the generator's device (the CPU) and then moved, so a CPU and a GPU
augment alike. Images before ``Normalize`` are on the scale 0..255. Keypoints stay in pixels of the
*stored* crop and are not moved: what is built from them (masks) is built before flipping and
cropping. Input batches are not changed.
"""

from reidkit.data.transforms.base import BatchTransform
from reidkit.data.transforms.color import ColorJitter, Normalize
from reidkit.data.transforms.erasing import RandomErasing
from reidkit.data.transforms.geometry import RandomCrop, RandomFlip

__all__ = [
    "BatchTransform", "ColorJitter", "Normalize", "RandomCrop", "RandomErasing", "RandomFlip",
]  # fmt: skip
