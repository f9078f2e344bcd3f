"""Matching of feature maps: pairs a second against the plain way and against the bare product.

128 channels on maps of 24x8, as published: 9.44 million multiplications and additions a pair.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidkit.bench.evaluation import extra_mb
from reidkit.bench.table import Row
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.plugin import load_plugins
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding
from reidkit.utils.processor import has_bf16_units

CHANNELS, SIZE = 128, (24, 8)
CELLS = SIZE[0] * SIZE[1]
TILE = 32  # gallery images in one block of the bare product; larger ones leave the cache


def run(n_query: int = 64, n_gallery: int = 256, times: int = 3) -> list[Row]:
    """Measure the distance of every pair of generated maps, on the GPU if there is one.

    Args:
        n_query: queries.
        n_gallery: gallery images, a multiple of 32.
        times: interleaved repetitions; the fastest of each counts.

    Raises:
        RuntimeError: the ways disagree.
    """
    load_plugins(["qaconv"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    matcher = MATCHERS.build(dict(type="qaconv/QAConvMatcher", map_size=SIZE)).eval().to(device)
    maps = [smooth_maps(count).to(device) for count in (n_query, n_gallery)]
    query, gallery = (Embedding(maps=side) for side in maps)
    prepared = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    out = torch.empty(n_query, n_gallery, device=device)
    works: dict[str, Callable[[], Any]] = {
        "ours": lambda: matcher.order(*prepared, out),
        "plain": lambda: plain(matcher, *maps),
        "product": _product(*maps),
    }
    memory = {name: extra_mb(works[name]) for name in ("ours", "plain")}
    gap = (matcher.order(*prepared, out) - works["plain"]()).abs().max()
    if gap > (1e-4 if device.type == "cpu" else 2e-2):
        raise RuntimeError(f"the two ways disagree by {gap:.2g}")
    rate = {
        name: n_query * n_gallery / value for name, value in _seconds(works, times, device).items()
    }
    name = f"QAConv matching, {n_query} x {n_gallery}, {device.type}"
    rows = [
        Row(name, "einsum, max with places", rate["plain"], rate["ours"], "pairs/s"),
        Row(name, "bare product of the blocks", rate["product"], rate["ours"], "pairs/s"),
    ]
    if device.type == "cpu":
        rows.append(
            Row(
                f"{name}, memory",
                "einsum, max with places",
                memory["plain"],
                max(memory["ours"], 1.0),
                "MB",
                higher_is_better=False,
            )
        )
    if device.type == "cpu" and has_bf16_units():
        sizes = max(1, n_query // 4), 16 * n_gallery  # so many that comparing again is little
        rows.append(_bfloat16(rate["plain"], matcher, *sizes))
    if device.type == "cpu":
        rows.append(_gallery(matcher, query, gallery, times))
    _shortlists(matcher, query, gallery)
    return rows


def _gallery(matcher: Any, query: Embedding, images: Embedding, times: int) -> Row:
    """A search in a gallery of maps on the disk, against comparing the maps in memory alone."""
    with tempfile.TemporaryDirectory() as folder:
        people = Gallery(Path(folder) / "gallery", EmbeddingsOnly("bench", matcher))
        people.enrol([f"p{row}" for row in range(len(images))], images, model="bench")
        works = {
            "matcher": lambda: matcher(query, images).topk(10, largest=False),
            "gallery": lambda: people.search(query, 10, model="bench"),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing is calibrated
            seconds = _seconds(works, times, torch.device("cpu"))
    pairs = len(query) * len(images)
    rate = {name: pairs / value for name, value in seconds.items()}
    name = f"search in a gallery of maps, {len(query)} x {len(images)}"
    return Row(name, "its matcher in memory", rate["matcher"], rate["gallery"], "pairs/s")


def _bfloat16(plain_rate: float, matcher: Any, n_query: int, n_gallery: int) -> Row:
    """Products in bfloat16 with the nearest compared again, and how they change the ranking."""
    query, gallery = (Embedding(maps=smooth_maps(count)) for count in (n_query, n_gallery))
    lower = MATCHERS.build(dict(type="qaconv/QAConvMatcher", map_size=SIZE, products="bf16")).eval()
    lower.load_state_dict(matcher.state_dict())
    prepared = matcher.prepare(query, "query"), matcher.prepare(gallery, "gallery")
    works = {"exact": lambda: matcher.order(*prepared), "ours": lambda: lower.order(*prepared)}
    seconds = _seconds(works, 2, torch.device("cpu"))
    exact, ours = (work() for work in works.values())
    same = exact.argsort(1)[:, :50] == ours.argsort(1)[:, :50]
    print(
        f"bf16 products: {100 * same.float().mean():.2f} % of the top 50 places as in float32, "
        f"largest difference of a score {(exact - ours).abs().max():.1e}, "
        f"{seconds['exact'] / seconds['ours']:.2f}x as fast as float32"
    )
    name = f"QAConv matching, bf16 products, {n_query} x {n_gallery}, cpu"
    pairs = n_query * n_gallery
    return Row(name, "einsum, max with places", plain_rate, pairs / seconds["ours"], "pairs/s")


def plain(matcher: Any, query: Tensor, gallery: Tensor) -> Tensor:
    """The usual way: all similarities of all pairs, maxima with their places, then the head."""
    left, right = (
        torch.nn.functional.normalize(side.flatten(2), dim=1) for side in (query, gallery)
    )
    scores = torch.einsum("qcs,gcr->qgrs", left, right)
    forward, _ = scores.max(2)
    backward, _ = scores.max(3)
    with torch.no_grad():
        logits = matcher.head(forward, backward)
    return -(logits - matcher.folded()[2])


def smooth_maps(count: int) -> Tensor:
    """Random maps whose neighbouring cells are alike, as those of images are."""
    coarse = torch.randn(count, CHANNELS, SIZE[0] // 4, SIZE[1] // 4)
    fine = 0.3 * torch.randn(count, CHANNELS, *SIZE)
    return torch.nn.functional.interpolate(coarse, SIZE, mode="bilinear") + fine


def _product(query: Tensor, gallery: Tensor) -> Callable[[], None]:
    """The same products and nothing else, block by block into one buffer."""
    kernels = query.flatten(2).transpose(1, 2).contiguous()
    tiles = [
        part.flatten(2).permute(1, 2, 0).reshape(CHANNELS, -1).contiguous()
        for part in gallery.split(TILE)
    ]
    if query.is_cuda:
        kernels, tiles = kernels.half(), [tile.half() for tile in tiles]
    out = torch.empty(CELLS, tiles[0].shape[1], dtype=kernels.dtype, device=query.device)

    def work() -> None:
        for tile in tiles:
            for kernel in kernels:
                torch.mm(kernel, tile, out=out)

    return work


def _seconds(works: dict[str, Callable], times: int, device: torch.device) -> dict[str, float]:
    """Least seconds of each work: CPU seconds on a CPU, by the clock with a GPU."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    best = dict.fromkeys(works, float("inf"))
    for _ in range(times):
        for name, work in works.items():
            start = clock()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], clock() - start)
    return best


def _shortlists(matcher: Any, query: Embedding, gallery: Embedding, top: int = 10) -> None:
    """How many of the exactly nearest images a shortlist by pooled cosine keeps."""
    exact = matcher(query, gallery).topk(top, largest=False).indices
    for length in (len(gallery) // 8, len(gallery) // 4, len(gallery) // 2):
        short = MATCHERS.build(
            dict(type="qaconv/QAConvMatcher", map_size=SIZE, shortlist=length)
        ).to(exact.device)
        short.load_state_dict(matcher.state_dict())
        near = short(query, gallery).topk(length, largest=False).indices
        recall = (exact[:, :, None] == near[:, None]).any(2).float().mean()
        print(
            f"shortlist of {length} of {len(gallery)}: keeps {100 * recall:.1f} % of the top {top}"
        )
