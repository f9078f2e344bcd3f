"""Contracts of what handles data: samplers, transforms, data sets, labellers; and of evaluators."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.evaluation.matchers.vectors import CosineMatcher
from reidkit.structures import BATCH_TENSORS, Embedding, ReIDBatch
from reidkit.testing.fakes import FakeLiveModel, fake_batch, fake_images, fake_split, labelled
from reidkit.testing.requirements import Build, finite, require


def check_sampler(build: Build) -> str:
    """Lists of indices in range; the same for the same epoch, other for another; state goes on."""
    sampler, other = build(), build()
    epochs = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        if hasattr(sampler, "refresh"):
            sampler.refresh(FakeLiveModel())
        epochs.append([list(map(int, batch)) for batch in sampler])
        require(len(epochs[-1]) == len(sampler), f"{len(epochs[-1])} batches, len {len(sampler)}")
    require(epochs[0], "no batches")
    drawn = {index for batch in epochs[0] for index in batch}
    require(drawn <= set(range(64)), "indices outside the data set")
    require(epochs[0] != epochs[1], "epochs 0 and 1 are the same")
    other.load_state_dict(sampler.state_dict())
    again = [list(map(int, batch)) for batch in other]
    require(again == epochs[1], "a sampler with the state of another goes on differently")
    return "batches, epochs and state checked"


def check_frame_sampler(build: Build) -> str:
    """Clips of frames that are there, in order, the same for the same generator."""
    sampler = build()
    for length in (1, 2, 5, 64):
        for seed in (None, 7):
            first, again = (
                sampler(length, None if seed is None else np.random.default_rng(seed))
                for _ in range(2)
            )
            require(first.ndim == 2 and first.dtype == np.int64, "clips must be (J, T) int64")
            require((first >= 0).all() and (first < length).all(), "frames outside the tracklet")
            require((np.diff(first) >= 0).all(), "frames out of order")
            require(np.array_equal(first, again), "another choice for the same generator")
        require(seed is None or len(first) == 1, "training takes one clip")
    return "frames checked"


def check_transform(build: Build) -> str:
    """A batch to a batch of the same images, the same for the same generator; the input is kept."""
    step = build()
    batch, kept, results = _accepted(step)
    require(torch.equal(batch.images, kept), "the images of the input batch were changed")
    for result in results:
        require(isinstance(result, ReIDBatch), f"expected a ReIDBatch, got {type(result).__name__}")
        require(result.images.shape[:2] == kept.shape[:2], "images were lost")
    missing = {name for name in getattr(step, "adds", ()) if name not in results[0]}
    require(not missing, f"it says that it adds {sorted(missing)}, and does not")
    extra = set(results[0].fields) - set(batch.fields) - set(getattr(step, "adds", ()))
    require(not extra, f"it adds {sorted(extra)}, and does not say so: adds")
    require(set(results[0].fields) == set(results[1].fields), "it adds other fields every time")
    for name in ("images", *BATCH_TENSORS, *results[0].fields):
        first, second = (result.get(name) for result in results)
        if first is not None and second is not None:
            finite(first, name)
            require(torch.equal(first, second), f"{name} differs for the same generator")
    return "batch and randomness checked"


def _accepted(step: Callable) -> tuple[ReIDBatch, Tensor, list[ReIDBatch]]:
    """The first fake batch that the step takes, a copy of its images, and what it gives, twice.

    One that stands after ``Normalize`` wants float images; one that cannot move masks and part maps
    with the images wants a batch without.
    """
    batches = [fake_batch(), fake_batch(), fake_images()]
    batches[1].images = batches[1].images.float() / 255
    for batch in batches[:-1]:
        kept = batch.images.clone()
        try:
            return batch, kept, _twice(step, batch)
        except ValueError:
            continue
    kept = batches[-1].images.clone()
    return batches[-1], kept, _twice(step, batches[-1])


def _twice(step: Callable, batch: ReIDBatch) -> list[ReIDBatch]:
    results = []
    for _ in range(2):
        batch.generator = torch.Generator().manual_seed(7)
        results.append(step(batch))
    return results


def check_dataset(build: Build) -> str:
    """Splits of crops that exist, query and gallery disjoint from training; or what is missing.

    Without data (no option ``data_root``) it must refuse an empty folder in words.
    """
    with tempfile.TemporaryDirectory() as empty:
        reader = build(data_root=empty)
        if str(getattr(reader, "data_root", empty)) == empty:
            return _refuses(reader, empty)
    reader.prepare()
    splits = reader.splits()
    require(splits, "splits() is empty")
    for name, split in splits.items():
        require(isinstance(split, Split), f"{name} is a {type(split).__name__}, not a Split")
        require(len(split), f"{name} has no crops")
        for row in (0, len(split) - 1):
            require(split.file(row).is_file(), f"{name}: {split.file(row)} does not exist")
    known = {n: set(s.identities.tolist()) - {-1, 0} for n, s in splits.items()}
    if {"query", "gallery"} <= set(known):
        require(known["query"] & known["gallery"], "no query identity is in the gallery")
        shared = known.get("train", set()) & known["query"]
        require(not shared, f"{len(shared)} identities are in train and in query")
    again = build().splits()
    same = all(again[n].fingerprint() == s.fingerprint() for n, s in splits.items())
    require(same, "read twice, the splits differ")
    return f"splits {', '.join(splits)} checked"


def _refuses(reader: Any, empty: str) -> str:
    try:
        splits = reader.splits()
    except UserError as error:
        require(str(error).strip(), "missing data is refused without a word")
        return "missing data refused in words"
    require(False, f"an empty folder gives splits {list(splits)} instead of a UserError")
    return ""


def check_labeller(build: Build) -> str:
    """Finite keypoints, confidences in [0, 1], alone as among others; provenance as JSON."""
    labeller = build()
    source = np.random.default_rng(0)
    crops = [source.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((128, 64), (96, 40))]
    points = np.asarray(labeller.label(crops))
    require(points.shape == (2, 17, 3), f"expected (2, 17, 3), got {points.shape}")
    require(points.dtype == np.float32, f"expected float32, got {points.dtype}")
    require(np.isfinite(points).all(), "a keypoint is not finite")
    alone = np.asarray(labeller.label(crops[1:]))
    require(np.allclose(alone[0], points[1], atol=0.1), "a crop's labels depend on its batch")
    third = points[..., 2]
    require(bool(((third >= 0) & (third <= 1)).all()), "a confidence is not in [0, 1]")
    require(len(labeller.provenance), "provenance is empty: nobody could tell who labelled")
    json.dumps(labeller.provenance)
    return "keypoints and provenance checked"


def check_evaluator(build: Build) -> str:
    """Numbers in [0, 1]: 1 for perfect embeddings, less for random ones; order does not count."""
    evaluator = build()
    people = np.repeat(np.arange(1, 9), 4)
    cameras = np.tile([1, 2, 1, 2], 8)
    query, gallery = people[::4], np.delete(people, np.s_[::4])
    splits = (
        fake_split("query", query, cameras[::4]),
        fake_split("gallery", gallery, np.delete(cameras, np.s_[::4])),
    )
    source = torch.Generator().manual_seed(0)
    perfect = [_one_hot(split.identities, source, 0.01) for split in splits]
    noise = [_one_hot(split.identities * 0, source, 1.0) for split in splits]
    before = [e.vectors.clone() for e in perfect if e.vectors is not None]
    best = _scores(evaluator.evaluate(*labelled(perfect, splits), CosineMatcher()))
    for name, value in best.items():
        require(abs(value - 1) < 1e-6, f"{name} of a perfect ranking is {value}")
    for one, vectors in zip(perfect, before, strict=True):
        same = one.vectors is not None and torch.equal(one.vectors, vectors)
        require(same, "the embeddings were changed")
    random = _scores(evaluator.evaluate(*labelled(noise, splits), CosineMatcher()))
    require(min(random.values()) < 1, "random embeddings score as well as perfect ones")
    order = np.random.default_rng(0).permutation(len(gallery))
    mixed = noise[1][torch.from_numpy(order)]
    turned = labelled((noise[0], mixed), (splits[0], splits[1].select(order)))
    again = _scores(evaluator.evaluate(*turned, CosineMatcher()))
    same = all(abs(again[name] - value) < 1e-9 for name, value in random.items())
    require(same, "the order of the gallery's files changes the numbers")
    return "perfect, random and reordered galleries checked"


def _one_hot(identities: np.ndarray, source: torch.Generator, noise: float) -> Embedding:
    """A direction for every identity, with noise."""
    rows = torch.nn.functional.one_hot(torch.from_numpy(np.asarray(identities)), 16).float()
    return Embedding((rows + noise * torch.randn(rows.shape, generator=source))[:, None])


def _scores(result: Any) -> dict[str, float]:
    """The ranking figures of a result (mAP, mINP, R1, ...), each in [0, 1]."""
    require(result.metrics, "the result has no metrics")
    numbers = {name: float(value) for name, value in result.metrics.items()}
    for name, value in numbers.items():
        require(np.isfinite(value), f"{name} is {value}")
    shares = {n: v for n, v in numbers.items() if n.startswith(("mAP", "mINP", "R"))}
    for name, value in shares.items():
        require(0 <= value <= 1, f"{name} is {value}, outside [0, 1]")
    return shares or numbers


def check_hook(build: Build) -> str:
    """It has methods that mmengine's Runner calls."""
    hook = build()
    methods = [n for n in dir(hook) if n.startswith(("before_", "after_"))]
    require(methods, f"{type(hook).__name__} has no method such as after_train_epoch(runner)")
    return "methods of a hook"
