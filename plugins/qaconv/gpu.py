"""What QAConv has to show on a GPU: its kernel's pairs per second, and that it ranks as float32."""

from __future__ import annotations

import torch

from reidkit.bench.gpu.measurement import Measurement, device, seconds
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding

from .bench import SIZE, smooth_maps

MARKET = 3368, 15913  # queries and gallery images of Market-1501
TOP = 50


def kernel(tiny: bool) -> list[Measurement]:
    """All pairs of Market-1501 with 128 channels on maps of 24x8, and rankings of some queries."""
    count, total = (2, 20) if tiny else MARKET
    at = device()
    torch.manual_seed(0)
    matcher = MATCHERS.build(dict(type="qaconv/QAConvMatcher", map_size=SIZE)).eval().to(at)
    sides = [Embedding(maps=smooth_maps(n).to(at)) for n in (count, total)]
    query, gallery = (
        matcher.prepare(s, r) for s, r in zip(sides, ("query", "gallery"), strict=True)
    )
    out = torch.empty(count, total, device=at)
    spent = seconds(lambda: matcher.order(query, gallery, out), *((1, 0) if tiny else (3, 1)))
    few = min(count, 32)
    matcher.cpu()
    exact = matcher.order(
        matcher.prepare(sides[0][:few].to("cpu"), "query"),
        matcher.prepare(sides[1][:2048].to("cpu"), "gallery"),
    )
    ours = out[:few, :2048].cpu()
    near = [
        values.topk(min(TOP, values.shape[1]), largest=False).indices for values in (ours, exact)
    ]
    same = 100 * float((near[0] == near[1]).float().mean())
    gap = float((ours - exact).abs().max())
    pairs = f"{count:,} x {total:,}"
    return [
        Measurement(f"QAConv, {pairs} pairs", spent, "s", 3.0, True),
        Measurement("QAConv, pairs per second", count * total / spent / 1e6, "millions", 50),
        Measurement(
            f"QAConv: places among the first {TOP} as in float32",
            same,
            "%",
            note=f"{few} queries, {exact.shape[1]:,} images; scores differ by at most {gap:.1e}",
        ),
    ]
