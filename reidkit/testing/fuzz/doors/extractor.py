"""``reidkit.load(RUN)``: images as trackers, detectors and notebooks hand them over."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from reidkit.engine.extractor import Extractor
from reidkit.errors import UserError
from reidkit.testing.fuzz.case import Case, Door, Place
from reidkit.testing.fuzz.doors.crops import picture, vectors_of
from reidkit.testing.fuzz.doors.runs import prepare
from reidkit.testing.fuzz.mutate import damaged, odd_number, odd_value, put_odd

_open: dict[Path, Extractor] = {}


def _prepare(folder: Path, cli: Any) -> None:
    """A run, opened."""
    prepare(folder, cli)
    _open[folder] = Extractor(folder / "run")


def _written(image: np.ndarray, path: Path) -> Path:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    path.write_bytes(data.getvalue())
    return path


def _form(rng: Random, image: np.ndarray, place: Place) -> Any:
    """An image in one of the forms that are taken."""
    number = rng.randrange(10**6)
    return rng.choice(
        (lambda: image, lambda: Image.fromarray(image), lambda: np.asfortranarray(image),
         lambda: _written(image, place.here / f"{number}.png"),
         lambda: str(_written(image, place.here / f"{number}.png")))
    )()  # fmt: skip


def _unfit(rng: Random, image: np.ndarray, place: Place) -> Any:
    """Something that is no RGB crop of bytes."""
    path = place.here / "odd.png"
    _written(image, path)
    kind = rng.choice((np.int32, np.float16, object, bool))
    return rng.choice(
        (lambda: image[:0], lambda: image[:, :0], lambda: image[..., 0], lambda: image[..., :2],
         lambda: image / 255, lambda: image.astype(kind), lambda: np.dstack([image, image]),
         lambda: image.transpose(2, 0, 1), lambda: [image], lambda: torch.from_numpy(image),
         lambda: None, lambda: 5, dict, lambda: b"bytes", lambda: "nothing.jpg", lambda: "",
         lambda: Image.fromarray(image[..., 0].astype(np.uint16)), lambda: "a\0b",
         lambda: str(place.here), lambda: (put_odd(path, rng), path)[1], lambda: _half(path))
    )()  # fmt: skip


def _half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def make(rng: Random, place: Place) -> Case:
    """One call."""
    extractor = _open[place.valid]
    images = [
        picture(rng.randrange(99), rng.randrange(8, 90), rng.randrange(8, 50)) for _ in range(3)
    ]
    kind = rng.choice(("forms", "forms", "one", "stack", "unfit", "unfit", "options", "boxes",
                       "boxes", "odd boxes", "bytes"))  # fmt: skip
    given: Any = [_form(rng, image, place) for image in images]
    options: dict[str, Any] = dict(batch_size=rng.choice((1, 2, 64)))
    refuse, wanted = False, images
    if kind == "one":
        given, wanted = given[0], images[:1]
    elif kind == "stack":
        given, wanted = np.stack([images[0]] * 3), [images[0]] * 3
    elif kind == "unfit":
        given[rng.randrange(3)], refuse = _unfit(rng, images[0], place), True
        given = rng.choice((given, given, [], [given[0], given], None))
        refuse = True
    elif kind == "options":
        options[rng.choice(("batch_size", "cameras", "boxes"))] = odd_value(rng)
        wanted = []
    elif kind in ("boxes", "odd boxes"):
        frame = np.zeros((200, 150, 3), np.uint8)
        top, left = rng.randrange(60), rng.randrange(60)
        height, width = images[0].shape[:2]
        frame[top : top + height, left : left + width] = images[0]
        box = [left, top, left + width, top + height]
        given, wanted = _form(rng, frame, place), [images[0]] * 2
        if kind == "odd boxes":
            bad = list(box)
            bad[rng.randrange(4)] = rng.choice((odd_number(rng), None, "x", box[::-1]))
            wanted = []
            bad = rng.choice((bad, [200, 10, 220, 30], [5, 5, 5, 9], box[::-1], box[:3]))
            options["boxes"] = rng.choice(([box, bad], [bad], []))
        else:
            options["boxes"] = rng.choice(([box, box], np.array([box, box], float),
                                           torch.tensor([box, box])))  # fmt: skip
    elif kind == "bytes":
        path = _written(images[0], place.here / "x.png")
        path.write_bytes(damaged(path.read_bytes(), rng)[0])
        given, wanted = [path], []

    def run() -> torch.Tensor:
        return vectors_of(extractor(given, **options))

    def check(found: torch.Tensor) -> str | None:
        if not torch.isfinite(found).all():
            return "an embedding that is not finite"
        if not wanted:
            return None
        right = torch.cat([vectors_of(extractor([image])) for image in wanted])
        same = found.shape == right.shape and torch.allclose(found, right, atol=1e-4)
        return "" if same else f"{tuple(found.shape)} for {tuple(right.shape)}, or other numbers"

    return Case(
        f"{kind}: {str(options)[:60]}", run, check, refuse, (UserError, ValueError, TypeError)
    )


DOOR = Door("extractor", "reidkit.load(RUN)(images, boxes=...)", make, _prepare, share=0.7)
