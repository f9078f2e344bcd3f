"""Pickles that would execute something, or make numpy believe addresses of the file's choice."""

from __future__ import annotations

import builtins
import os
import pickle
import subprocess
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

PLAIN = (3, "<", None, None, None, -1, -1, 0)
OBJECTS = (3, "|", None, None, None, -1, -1, 0)


class Call:
    """Pickles as a call of a function, with a state."""

    def __init__(self, function: Callable, arguments: tuple, state: Any = None):
        self.made_of = function, arguments, state

    def __reduce__(self) -> tuple:
        return self.made_of


def executing(rng: Random, mark: Path) -> Any:
    """An object whose unpickling makes the file ``mark``."""
    return rng.choice(
        (
            Call(os.system, (f"touch {mark}",)),
            Call(builtins.eval, (f"open({str(mark)!r}, 'w')",)),
            Call(builtins.exec, (f"open({str(mark)!r}, 'w')",)),
            Call(subprocess.Popen, (["touch", str(mark)],)),
            Call(builtins.open, (str(mark), "w")),
            Call(os.mkdir, (str(mark),)),
            Call(getattr, (Path, "touch")),
            Call(attrgetter, ("system",)),
            Call(Path.touch, (mark,)),
        )
    )


def crafted_array(rng: Random) -> Any:
    """An array or dtype in a state that numpy never writes, or that holds no plain numbers."""
    fields = {"a": (np.dtype("O"), rng.choice((0, 8, 4096)))}
    code, state = rng.choice(
        (
            ("O", OBJECTS), ("i8", (3, "<", None, None, None, -1, -1, 63)),
            ("V8", (3, "|", None, ("a",), fields, 8, 1, 0)),
            ("V8", (3, "|", None, ("a",), {"a": (np.dtype("i8"), 4096)}, 8, 1, 0)),
            ("i8", (3, "<", None, ("a",), {"a": (np.dtype("i8"), 8)}, 8, 8, 0)),
            ("i8", (3, "<", None, None, None, 4096, 8, 0)),
            ("i8", (3, "<", (np.dtype("i8"), (9,)), None, None, -1, -1, 0)),
            ("i8", ("x",)), ("M8[s]", PLAIN), ("U4", PLAIN), ("S4", PLAIN), ("c16", PLAIN),
        )
    )  # fmt: skip
    shape = rng.choice(((2,), (1000,), (-1,), (1 << 40,), "ab"))
    dtype = Call(np.dtype, (code, False, True), state)
    make = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    body = (1, shape, dtype, rng.random() < 0.5, b"A" * 16)
    return Call(make, (np.ndarray, (0,), b"b"), body)


def hostile_pickle(rng: Random, mark: Path) -> tuple[bytes, str]:
    """The bytes of a pickle that must be refused, and what it holds."""
    if rng.random() < 0.5:
        value, what = executing(rng, mark), "executes"
    else:
        value, what = crafted_array(rng), "crafted array"
    tree = rng.choice(
        (value, [value], {"a": value}, {"query/a.jpg": {"kpt": value, "im_h_w": value}})
    )
    return pickle.dumps(tree, protocol=rng.choice((2, 4))), what
