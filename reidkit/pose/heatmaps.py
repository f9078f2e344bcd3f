"""Heatmaps and SimCC vectors to joints, the whole batch at once on the device.

Each function gives what mmpose's codec of the same name gives image by image, but for steps from
flat maps (``_bounded``). A codec that is not here is decoded by mmpose itself, one image at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Decoder = Callable[[Any], tuple[Tensor, Tensor]]
Peaks = Callable[[Tensor, float], tuple[Tensor, Tensor]]


def heatmap_maximum(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Place and height of each map's maximum; the first one wins ties.

    Shape:
        heatmaps (N, K, h, w).
        returns (N, K, 2) x, y in cells, (-1, -1) where nothing is above 0; (N, K) values.
    """
    values, place = heatmaps.flatten(2).max(-1)
    width = heatmaps.shape[-1]
    locations = torch.stack([place % width, place // width], dim=-1).to(torch.float32)
    return torch.where(values[..., None] > 0, locations, -1.0), values


def _look(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """maps[n, k, y, x], with indices clamped into the map."""
    height, width = maps.shape[-2:]
    index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return maps.flatten(2).gather(2, index[..., None])[..., 0]


def refine_quarter(locations: Tensor, heatmaps: Tensor) -> Tensor:
    """A quarter of a cell towards the higher neighbour, where all four lie well inside the map.

    Source:
        mmpose ``refine_keypoints``, with its rule for the border (columns 0 and 1 stay).
    """
    height, width = heatmaps.shape[-2:]
    x, y = locations.long().unbind(-1)
    dx = _look(heatmaps, x + 1, y) - _look(heatmaps, x - 1, y)
    dy = _look(heatmaps, x, y + 1) - _look(heatmaps, x, y - 1)
    dx = torch.where((x > 1) & (x < width - 1) & (y > 0) & (y < height), dx, 0.0)
    dy = torch.where((y > 1) & (y < height - 1) & (x > 0) & (x < width), dy, 0.0)
    return locations + 0.25 * torch.stack([dx.sign(), dy.sign()], dim=-1)


def _band(size: int, kernel: int) -> Tensor:
    """The blur of a line as a (size, size) matrix: the kernel around the diagonal."""
    taps = cv2.getGaussianKernel(kernel, 0)[:, 0]
    away = np.arange(size) - np.arange(size)[:, None] + kernel // 2
    inside = (away >= 0) & (away < kernel)
    return torch.from_numpy(np.where(inside, taps[away.clip(0, kernel - 1)], 0.0))


def blur(heatmaps: Tensor, kernel: int) -> Tensor:
    """Smooth each map and scale it back to its own maximum.

    Source:
        mmpose ``gaussian_blur`` (OpenCV's kernel of that size, zeros outside the map).
    """
    rows, columns = (_band(size, kernel).to(heatmaps) for size in heatmaps.shape[-2:])
    smooth = rows @ heatmaps @ columns  # many times as fast as convolving one channel on a CPU
    peak = smooth.amax((-2, -1), keepdim=True)
    return smooth * (heatmaps.amax((-2, -1), keepdim=True) / peak)


def _bounded(step: Tensor) -> Tensor:
    """A Newton step of at most a cell each way: the maximum of a peaked map is no farther.

    On flat maps, of joints that are not there, the step may have any length.
    """
    return step.clamp(-1.0, 1.0)


def refine_dark(locations: Tensor, heatmaps: Tensor, kernel: int) -> Tensor:
    """A Newton step on the logarithm of the smoothed map, where two cells on each side exist.

    Source:
        Distribution-aware decoding, arXiv 1910.06278; mmpose ``refine_keypoints_dark``.
    """
    height, width = heatmaps.shape[-2:]
    log = blur(heatmaps, kernel).clamp(min=1e-10).log()
    x, y = locations.long().unbind(-1)
    at = lambda i, j: _look(log, x + i, y + j)  # noqa: E731
    centre = at(0, 0)
    dx, dy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
    dxx = 0.25 * (at(2, 0) - 2 * centre + at(-2, 0))
    dyy = 0.25 * (at(0, 2) - 2 * centre + at(0, -2))
    dxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    determinant = dxx * dyy - dxy * dxy
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (determinant != 0)
    safe = torch.where(inside, determinant, 1.0)
    step = torch.stack([dyy * dx - dxy * dy, dxx * dy - dxy * dx], dim=-1) / safe[..., None]
    return torch.where(inside[..., None], locations - _bounded(step), locations)


def refine_dark_udp(locations: Tensor, heatmaps: Tensor, kernel: int) -> Tensor:
    """The same idea with one cell on each side and repeated border cells.

    Source:
        Unbiased data processing, arXiv 1911.07524; mmpose ``refine_keypoints_dark_udp``.
    """
    log = blur(heatmaps, kernel).clamp(1e-3, 50.0).log()
    log = F.pad(log, (1, 1, 1, 1), mode="replicate")
    x, y = (locations.long() + 1).unbind(-1)
    at = lambda i, j: _look(log, x + i, y + j)  # noqa: E731
    centre = at(0, 0)
    dx, dy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
    dxx = at(1, 0) - 2 * centre + at(-1, 0)
    dyy = at(0, 1) - 2 * centre + at(0, -1)
    dxy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * centre - at(-1, 0) - at(0, -1) + at(-1, -1))
    eps = torch.finfo(torch.float32).eps
    dxx, dyy = dxx + eps, dyy + eps
    determinant = dxx * dyy - dxy * dxy
    determinant = torch.where(determinant == 0, eps, determinant)
    step = torch.stack([dyy * dx - dxy * dy, dxx * dy - dxy * dx], dim=-1)
    return locations - _bounded(step / determinant[..., None])


def _maximum(heatmaps: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    return heatmap_maximum(heatmaps)


def decode_msra(heatmaps: Tensor, codec: Any, peaks: Peaks = _maximum) -> tuple[Tensor, Tensor]:
    """Joints of an ``MSRAHeatmap`` codec, plain or unbiased.

    Args:
        heatmaps: of a batch.
        codec: mmpose's, for its sizes.
        peaks: finds each joint's cell from the maps and the codec's sigma in cells.

    Shape:
        heatmaps (N, K, h, w).
        returns (N, K, 2) x, y in input pixels and (N, K) confidence.
    """
    heatmaps = heatmaps.float()
    locations, values = peaks(heatmaps, codec.sigma)
    if codec.unbiased:
        locations = refine_dark(locations, heatmaps, codec.blur_kernel_size)
    else:
        locations = refine_quarter(locations, heatmaps)
    return locations * torch.as_tensor(codec.scale_factor, device=heatmaps.device), values


def decode_udp(heatmaps: Tensor, codec: Any, peaks: Peaks = _maximum) -> tuple[Tensor, Tensor]:
    """Joints of a ``UDPHeatmap`` codec with Gaussian maps; arguments as ``decode_msra``."""
    heatmaps = heatmaps.float()
    locations, values = peaks(heatmaps, codec.sigma)
    locations = refine_dark_udp(locations, heatmaps, codec.blur_kernel_size)
    width, height = codec.heatmap_size
    input_size = torch.tensor(codec.input_size, device=heatmaps.device, dtype=torch.float32)
    return locations / locations.new_tensor([width - 1, height - 1]) * input_size, values


def decode_simcc(vectors: tuple[Tensor, Tensor], codec: Any) -> tuple[Tensor, Tensor]:
    """Joints of a ``SimCCLabel`` codec without DARK.

    Shape:
        vectors: (N, K, Wx) and (N, K, Wy).
        returns as ``decode_msra``; (-1, -1) / split ratio where nothing is above 0.
    """
    best = [vector.float().max(-1) for vector in vectors]
    values = torch.minimum(best[0].values, best[1].values)
    locations = torch.stack([b.indices for b in best], dim=-1).to(torch.float32)
    locations = torch.where(values[..., None] > 0, locations, -1.0)
    return locations / codec.simcc_split_ratio, values


def decode_one_by_one(encoded: Any, codec: Any) -> tuple[Tensor, Tensor]:
    """Any other codec: mmpose's own decode, image by image, on the CPU."""
    fields = encoded if isinstance(encoded, tuple) else (encoded,)
    arrays = [field.float().cpu().numpy() for field in fields]
    if type(codec).__name__ == "SimCCLabel":  # its DARK step wants the whole batch
        rows = [codec.decode(*arrays)]
    else:
        rows = [codec.decode(*row) for row in zip(*arrays, strict=True)]
    keypoints = torch.cat([torch.as_tensor(points, dtype=torch.float32) for points, _ in rows])
    values = torch.cat([torch.as_tensor(scores, dtype=torch.float32) for _, scores in rows])
    return keypoints[..., :2].to(fields[0].device), values.to(fields[0].device)


def decoder_for(codec: Any, peaks: Peaks = _maximum) -> Decoder:
    """The batched decoder of an mmpose codec, or the one-by-one fallback.

    Args:
        codec: mmpose's.
        peaks: as in ``decode_msra``, for codecs with heatmaps.
    """
    kind = type(codec).__name__
    if kind == "MSRAHeatmap":
        chosen: Callable = partial(decode_msra, peaks=peaks)
    elif kind == "UDPHeatmap" and codec.heatmap_type == "gaussian":
        chosen = partial(decode_udp, peaks=peaks)
    elif kind == "SimCCLabel" and not codec.use_dark:
        chosen = decode_simcc
    else:
        chosen = decode_one_by_one
    return lambda encoded: chosen(encoded, codec=codec)
