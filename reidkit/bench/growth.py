"""How time and memory grow with the size: each piece of work at 1x, 4x and 16x of a small size.

A row is the largest size against 16 times the smallest, so that a ratio of 1 is linear growth,
more is less than linear. The fitted exponents are printed: time is proportional to size^exponent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from reidkit.bench.data import write_crops
from reidkit.bench.evaluation import MARKET, Features, make_features
from reidkit.bench.measure import cpu_seconds, extra_mb
from reidkit.bench.peers.inputs import write_images
from reidkit.bench.reranking import METAS
from reidkit.bench.table import Row
from reidkit.engine.extractor import Extractor
from reidkit.evaluation import CosineMatcher, KReciprocal, RowIds, match_labels, score
from reidkit.evaluation.ranking.blocks import blocks
from reidkit.evaluation.ranking.ranks import rank_positives
from reidkit.plugin.extend import Extension, extensions
from reidkit.pose.crops import crop_batches
from reidkit.pose.labeller import TopdownLabeller
from reidkit.structures import Embedding
from reidkit.synthped.layout import Contents, contents, write_contents

TIMES = (1, 4, 16)
POINT, SIZE = "growth", 128  # what plugins add, and its 1x
Work = Callable[[], object]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of a line through the logarithms, by least squares.

    Args:
        sizes: at least two different ones.
        values: positive, as many.

    Example:
        >>> round(exponent([1, 4, 16], [3, 48, 768]), 6)
        2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def extraction(count: int, folder: Path) -> Work:
    """Files to embeddings of OSNet x0.25."""
    write_images(folder, count, None)
    extractor = Extractor("osnet_x0_25", weights=folder / "osnet.pth")
    files = sorted(map(str, (folder / "crops").iterdir()))
    return lambda: extractor(files)


def _features(count: int) -> Features:
    people, others = max(8, count // 20), count // 6
    return make_features(count // 8, count, 128, people, others)


def evaluation(count: int, folder: Path) -> Work:
    """Features to metrics; an eighth as many queries, so that pairs grow by squares."""
    data = _features(count)
    query, gallery = (torch.from_numpy(x)[:, None] for x in (data.query, data.gallery))

    def work() -> None:
        truth = match_labels(MARKET, data.q, data.g)
        ranks = rank_positives(Embedding(query), Embedding(gallery), truth, CosineMatcher())
        score(ranks, truth, MARKET, "CosineMatcher")

    return work


def reranking(count: int, folder: Path) -> Work:
    """Features to k-reciprocal distances, all pairs of images compared."""
    data = _features(count)
    query, gallery = (Embedding(torch.from_numpy(x)[:, None]) for x in (data.query, data.gallery))
    row_ids = RowIds.arange(len(data.q)), RowIds.arange(len(data.g))

    @torch.inference_mode()
    def work() -> None:
        matcher = KReciprocal().rerank(query, gallery, CosineMatcher(), *METAS)[2]
        for _ in blocks(*row_ids, matcher, 64):
            pass

    return work


def rendering(count: int, folder: Path) -> Work:
    """Crops of SynthPed, written."""
    whole = contents("easy", "A")
    some = Contents(whole.items[:count], whole.made_of)
    return lambda: write_contents(folder, some, workers=0, force=True, show=False)


def labels(count: int, folder: Path) -> Work:
    """Files to joints by the shipped pose model."""
    folder.mkdir()
    split, labeller = write_crops(folder, count), TopdownLabeller("synthped")
    batches = [np.arange(i, min(i + 64, count)) for i in range(0, count, 64)]

    def work() -> None:
        for _, images, sizes in crop_batches(split, batches, 0):
            labeller.label_batch(images, sizes)

    return work


WORKS: dict[str, tuple[Callable[[int, Path], Work], int]] = {
    "extraction, images": (extraction, 16),
    "evaluation, gallery images": (evaluation, 1024),
    "re-ranking, gallery images": (reranking, 512),
    "rendering, crops": (rendering, 24),
    "labels, crops": (labels, 24),
}


def works() -> dict[str, tuple[Callable[[int, Path], Work], int]]:
    """Name -> (a function of size and an empty folder that gives the work, 1x), plugins' too."""

    def added(one: Extension) -> Callable[[int, Path], Work]:
        return lambda count, folder: one.load()(count, folder)

    return WORKS | {name: (added(one), SIZE) for name, one in extensions(POINT).items()}


def measure(name: str, size: int, times: Sequence[int] = TIMES) -> list[Row]:
    """Time and memory of one work at every size; prints all of them with the exponents.

    Args:
        name: of ``works``.
        size: that is called 1x.
        times: multiples of it, ascending.
    """
    make, _ = works()[name]
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as place:
        sizes = {n: make(size * n, Path(place, str(n))) for n in times}
        sizes[times[0]]()  # the first use of libraries is no growth
        for work in sizes.values():
            best, _ = cpu_seconds({"work": work}, 2)
            seconds.append(max(best["work"], 1e-6))
            memory.append(max(extra_mb(work), 0.1))
    slopes = [exponent(times, values) for values in (seconds, memory)]
    text = "; ".join(
        f"{size * n:,}: {second:.3g} s {extra:.3g} MB"
        for n, second, extra in zip(times, seconds, memory, strict=True)
    )
    print(f"{name}: {text}; exponents {slopes[0]:.2f} and {slopes[1]:.2f}", flush=True)
    factor = times[-1] / times[0]
    against = f"{factor:g} x that of {size:,}"
    return [
        Row(name, against, factor * seconds[0], seconds[-1], "CPU s", higher_is_better=False),
        Row(f"{name}, memory", against, factor * memory[0], memory[-1], "MB", False),
    ]


def run() -> list[Row]:
    """All works, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for name, (_, size) in works().items() for row in measure(name, size)]
    finally:
        torch.set_num_threads(before)
