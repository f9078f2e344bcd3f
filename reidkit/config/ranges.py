"""Values that a training can use: the options whose numbers have bounds, and the bounds.

An option outside its bounds mostly trains without a word: backwards (a negative rate, weight or
norm), or not at all (a rate of 0). So the bounds are kept here, beside nothing that computes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reidkit.config.problems import Problem

INFINITY = math.inf
MOST_RESAMPLES = 1_000_000  # which take minutes on a usual test set


@dataclass(frozen=True)
class Bounds:
    """What the number at a key may be.

    Args:
        low: least value.
        high: greatest value; infinity itself is never allowed, nor NaN.
        whole: integers only.
        above: ``low`` itself is not allowed.
        below: ``high`` itself is not allowed.
        length: the value is a list of this many such numbers; 0: of one or more; None: a number.
        optional: None is allowed.

    Example:
        >>> Bounds(0, above=True).problem(-1)
        'expected a number above 0, got -1'
        >>> Bounds(1, whole=True, length=2).problem((64, 0))
        'expected 2 whole numbers of at least 1, got (64, 0)'
        >>> Bounds(0, 1).problem(0.5)
        ''
    """

    low: float
    high: float = INFINITY
    whole: bool = False
    above: bool = False
    below: bool = False
    length: int | None = None
    optional: bool = False

    def problem(self, value: Any) -> str:
        """Why ``value`` is refused; empty when it is fine."""
        if value is None and self.optional:
            return ""
        if self.length is None:
            fits = self._fits(value)
        else:
            many = isinstance(value, (list, tuple)) and len(value) > 0
            fits = many and self.length in (0, len(value)) and all(map(self._fits, value))
        return "" if fits else f"expected {self}, got {value!r}"

    def _fits(self, value: Any) -> bool:
        number = isinstance(value, int if self.whole else (int, float))
        if not number or isinstance(value, bool):
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        if self.low == -INFINITY:
            kind = f"finite {kind}"
        named = {None: f"a {kind}", 0: f"a list of {kind}s"}.get(
            self.length, f"{self.length} {kind}s"
        )
        low = f" above {self.low:g}" if self.above else f" of at least {self.low:g}"
        low = "" if self.low == -INFINITY else low
        least = "below" if self.below else "at most"
        high = "" if self.high == INFINITY else f" and {least} {self.high:.10g}"
        return f"{named}{low}{high}" + (" or None" if self.optional else "")


ANY = Bounds(-INFINITY)  # the mark of an option that takes every finite number
COUNT = Bounds(1, whole=True)
COUNTS = Bounds(1, whole=True, length=0)
WHOLE = Bounds(0, whole=True)
SHARE = Bounds(0, 1)
RATE = Bounds(0, above=True)
FACTOR = Bounds(0)
OPTIMIZER = {
    "lr": RATE,
    "weight_decay": FACTOR,
    "momentum": Bounds(0, 1, below=True),
    "betas": Bounds(0, 1, below=True, length=2),
    "eps": FACTOR,
}

# keys from the top, "*" for any name; of the options that are there
RANGES: dict[tuple[str, ...], Bounds] = {
    ("train", "epochs"): COUNT,
    ("train", "batch_size"): COUNT,
    ("train", "accumulate"): COUNT,
    ("train", "checkpoint_interval"): COUNT,
    ("train", "eval_interval"): WHOLE,
    ("train", "clip_grad"): Bounds(0, above=True, optional=True),
    ("train", "layer_decay"): Bounds(0, 1, above=True, optional=True),
    ("train", "freeze_layers"): Bounds(0, whole=True),
    ("train", "lr_mult", "*"): FACTOR,
    ("train", "decay_mult", "*"): FACTOR,
    ("train", "loss_mult", "*"): FACTOR,
    ("train", "schedule", "milestones"): Bounds(1, whole=True, length=0),
    ("train", "schedule", "gamma"): Bounds(0, 1, above=True),
    ("train", "schedule", "warmup"): FACTOR,
    ("train", "schedule", "start"): Bounds(0, 1, above=True),
    ("train", "schedule", "pct_start"): SHARE,
    **{("train", "optimizer", key): bounds for key, bounds in OPTIMIZER.items()},
    **{("train", "optimizers", "*", key): bounds for key, bounds in OPTIMIZER.items()},
    ("model", "losses", "*", "weight"): FACTOR,
    ("input", "size"): Bounds(1, whole=True, length=2),
    ("evaluation", "topk"): Bounds(1, whole=True, length=0),
    ("evaluation", "bootstrap"): Bounds(0, MOST_RESAMPLES, whole=True),
}
# what an option of this name may be in every component of a kind that has it; a component with
# other bounds, or with options of its own, has them in ``ranges``: {"dim": Bounds(1, whole=True)}
OPTIONS: dict[str, dict[str, Bounds]] = {
    "backbones": {
        "depth": COUNT, "stages": COUNT, "blocks": COUNTS, "strides": COUNTS, "last_stride": COUNT,
        "width": RATE,
    },
    "heads": {"dim": COUNT, "hidden": COUNT, "stripes": COUNT, "dropout": Bounds(0, 1, below=True)},
    "losses": {
        "margin": FACTOR, "scale": RATE, "temperature": RATE, "momentum": SHARE,
        "label_smoothing": Bounds(0, 1, below=True),
    },
    "transforms": {
        "p": SHARE, "pad": WHOLE, "mean": Bounds(-INFINITY, length=3),
        "std": Bounds(0, above=True, length=3), "brightness": FACTOR, "contrast": FACTOR,
        "saturation": FACTOR, "gain": FACTOR, "hue": Bounds(0, 0.5),
    },
    "samplers": {"p": COUNT, "k": COUNT, "steps": COUNT},
    "frame_samplers": {"frames": COUNT, "offsets": COUNT, "stride": COUNT},
    "hooks": {"interval": COUNT, "count": COUNT},
}  # fmt: skip
RESIZES = ("cv2", "pil")  # those of reidkit.data.decode, which lies above; a test compares them


def range_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Values outside the bounds of their keys, those of every stage of the training included.

    Args:
        tree: the resolved config.
    """
    for pattern, bounds in RANGES.items():
        for path, value in _values(tree, pattern):
            if wrong := bounds.problem(value):
                yield Problem(".".join(path), wrong)
        if pattern[0] != "train":
            continue
        for path, value in _values(tree, ("train", "stages", "*", *pattern[1:])):
            if wrong := bounds.problem(value):
                yield Problem(".".join(path), wrong)
    for path, value in _values(tree, ("input", "resize")):
        if value not in RESIZES:
            known = " or ".join(map(repr, RESIZES))
            yield Problem(".".join(path), f"expected {known}, got {value!r}")
    yield from _weightless(tree)


def ranges_of(kind: str, component: Any) -> dict[str, Bounds]:
    """Bounds of a component's options, dotted where an option is a dict.

    Args:
        kind: of the component ("heads").
        component: its class; the class's own ``ranges`` come before those of its kind.
    """
    return {**OPTIONS.get(kind, {}), **getattr(component, "ranges", {})}


def option_range_problems(
    where: str, kind: str, component: Any, options: Mapping[str, Any]
) -> Iterator[Problem]:
    """Options outside their bounds; whether one may be None is its type's matter.

    Args:
        where: the component's key.
        kind: of the component.
        component: its class.
        options: as the config gives them.
    """
    for name, bounds in ranges_of(kind, component).items():
        for path, value in _values(options, tuple(name.split("."))):
            if value is not None and (wrong := bounds.problem(value)):
                yield Problem(f"{where}.{'.'.join(path)}", wrong)


def _values(
    node: Any, pattern: tuple[str, ...], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of everything that a pattern of keys names."""
    if not pattern:
        yield path, node
    elif isinstance(node, Mapping):
        first, *rest = pattern
        for key in [*node] if first == "*" else [key for key in (first,) if key in node]:
            yield from _values(node[key], tuple(rest), (*path, str(key)))


def _weightless(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Losses that together weigh nothing, so that there is nothing to train on."""
    roles = list(_values(tree, ("model", "losses", "*")))
    if roles and all(isinstance(role, Mapping) and role.get("weight", 1) == 0 for _, role in roles):
        yield Problem("model.losses", "every loss has weight 0, so that nothing would be trained")
