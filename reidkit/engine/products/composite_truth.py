"""How far composites are from what they should show, where a data set can render that.

Shapes: N images, H W pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidkit.data.decode import resize_into
from reidkit.engine.products.composites import Composer

MOST = 1000  # pairs that are rendered
REGIONS = ("people", "background")


def errors_against_truth(
    composer: Composer, reader: Any, pairs: NDArray[np.int64], composites: Tensor
) -> dict[str, float]:
    """Mean absolute differences from rendered composites, of people and of the background.

    People are compared where the person of the structure and the wearer of the clothes both are,
    since the true wearer brings a build of their own, which a composite should not have. Beside
    each error stands that of the structure's crop as it is: all background and none of the clothes.

    Args:
        composer: gives the crops.
        reader: data set of the crops; may have ``wearing(wearer, scene)``, as ``SynthPed`` does.
        pairs: (N, 2) rows of appearance and structure; the first 1,000 are measured.
        composites: (N, 3, H, W) uint8 of these pairs, in order.

    Returns:
        Name -> mean over the pixels of all pairs, in levels of 0..255; empty where the data set
        renders no composites.
    """
    if not hasattr(reader, "wearing"):
        return {}
    paths, size = composer.split.paths, composites.shape[2:]
    sums = np.zeros((2, 2))  # region, image
    pixels = np.zeros(2)
    for (own, lent), composite in zip(pairs[:MOST].tolist(), composites, strict=False):
        crops = [reader.wearing(paths[row], paths[lent]) for row in (own, lent)]
        truth = _resized(crops[0].image, size).astype(np.int64)
        wearer, person = (_resized(np.dstack([c.parts] * 3), size) > 0 for c in crops)
        images = composite, composer.load([lent]).images[0]
        errors = [np.abs(image.permute(1, 2, 0).numpy() - truth) for image in images]
        for k, region in enumerate((wearer & person, ~(wearer | person))):
            sums[k] += [error[region].sum() for error in errors]
            pixels[k] += region.sum()
    numbers = {}
    for name, (composite, scene), count in zip(REGIONS, sums, pixels, strict=True):
        numbers[f"error of {name}, composites"] = float(composite / count)
        numbers[f"error of {name}, structure as it is"] = float(scene / count)
    return numbers


def _resized(image: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    out = np.empty((*size, 3), np.uint8)
    resize_into(out, np.ascontiguousarray(image))
    return out
