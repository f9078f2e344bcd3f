"""A batch as a config's loader would give it, without data: for trying parts on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmengine.config import Config

from reidkit.engine.domains import PART_MAP
from reidkit.registry import FRAME_SAMPLERS
from reidkit.structures import Field, ReIDBatch

IMAGES, IDENTITIES = 4, 2


def sample_batch(
    cfg: Config,
    names: Sequence[str],
    sizes: Mapping,
    domain: str = "",
    when: str = "train",
    images: int = IMAGES,
) -> ReIDBatch:
    """A batch as the loader would give it: random pixels of the config's size, labels as asked.

    Args:
        cfg: gives the size of the images and the number of frames of a clip.
        names: labels that are loaded; of unknown ones there are single numbers.
        sizes: label map -> (rows, columns).
        domain: name of the domain.
        when: "train" or "test": whose frame sampler says how long clips are.
        images: how many, or how many clips.
    """
    source = torch.Generator().manual_seed(0)
    frames = _frames(cfg, when)
    shape = (images, frames) if frames else (images,)
    pixels = torch.randint(
        0, 256, (*shape, 3, *cfg.input.size), generator=source, dtype=torch.uint8
    )
    fields = {"image_sizes": Field(torch.tensor([128, 64]).expand(*shape, 2).clone())}
    for name in names:
        if name == "keypoints":
            joints = torch.rand(*shape, 17, 3, generator=source, dtype=torch.float64)
            fields[name] = Field(joints * torch.tensor([64.0, 128.0, 1.0]))
        elif name == "part_map":
            cells = (*shape, *sizes.get(name, PART_MAP))
            fields[name] = Field(torch.randint(0, 8, cells, generator=source), grid=True)
        else:
            fields[name] = Field(
                torch.zeros(images, dtype=torch.int64), "clip" if frames else "image"
            )
    return ReIDBatch(
        pixels,
        identities=torch.arange(images) * IDENTITIES // images,
        cameras=torch.arange(images) % 2,
        times=torch.arange(images, dtype=torch.float64),
        indices=torch.arange(images),
        paths=[f"{i}.jpg" for i in range(images)],
        domain=domain,
        generator=torch.Generator().manual_seed(0),
        frames=frames or 1,
        fields=fields,
    )


def _frames(cfg: Config, when: str) -> int:
    """Frames of one clip as the config's sampler takes them of a short tracklet; 0 for images."""
    node = cfg.input.get("frames", {}).get(when)
    if node is None:
        return 0
    sampler = FRAME_SAMPLERS.build(dict(node), dict(settings=cfg.settings))
    return len(sampler(8, np.random.default_rng(0) if when == "train" else None)[0])
