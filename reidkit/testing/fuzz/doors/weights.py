"""Weights of ready networks: ``reidkit.load(NAME, weights=FILE)``, and folders of a hub."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from reidkit.engine.extractor import Extractor
from reidkit.models.heads import FCHead
from reidkit.models.osnet import OSNet
from reidkit.structures import FeatureSpecs
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.crops import picture, vectors_of
from reidkit.testing.fuzz.hostile import crafted_array, executing
from reidkit.testing.fuzz.mutate import damaged, odd_value, put_odd

NAME, SMALL = "osnet_x0_25", ("input.size=(64,32)", "settings.device=cpu")
CROP = picture(5, 70, 30)
WRAPPERS = ("module.", "_orig_mod.", "model.", "module.model.", "")
CONTAINERS = ("state_dict", "model", "net", "")


def state() -> dict[str, Tensor]:
    """Weights of a small network with three classes, under the names of its authors."""
    torch.manual_seed(3)
    net = OSNet(NAME)
    head = FCHead(FeatureSpecs(net.specs, net.default), 3)
    return {**net.state_dict(), **head.state_dict()}


def prepare(folder: Path, cli: Cli) -> None:
    """A file of weights, and the embedding that it gives."""
    torch.save(state(), folder / "w.pth")
    vectors = vectors_of(Extractor(NAME, SMALL, folder / "w.pth")(CROP))
    np.save(folder / "embedding.npy", vectors.numpy())


def _same(rng: Random, content: dict[str, Tensor], path: Path) -> str:
    """The same weights as others keep them."""
    how = rng.choice(("wrapped", "safetensors", "further content", "older pickle"))
    prefix, container = rng.choice(WRAPPERS), rng.choice(CONTAINERS)
    if how == "wrapped":
        tree: Any = {f"{prefix}{name}": value for name, value in content.items()}
        torch.save({container: tree, "epoch": 3} if container else tree, path)
        return f"wrapped in {container!r} and {prefix!r}"
    if how == "safetensors":
        save_file({n: v.contiguous() for n, v in content.items()}, path.with_suffix(".safetensors"))
        return how
    if how == "further content":
        torch.save({"state_dict": content, "optimizer": {"state": {}}, "meta": [1, "a"]}, path)
        return how
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return how


def _unfit(rng: Random, content: dict[str, Any], mark: Path, path: Path) -> str:
    """What must be refused."""
    used = {n: v for n, v in content.items() if not n.startswith("classifier.")}
    name = rng.choice(sorted(n for n in used if used[n].ndim > 1 and len(used[n]) > 1))
    how = rng.choice(("executes", "crafted", "a tensor too few", "another shape", "not finite",
                      "no tensors", "another network"))  # fmt: skip
    if how in ("executes", "crafted"):
        content[name] = executing(rng, mark) if how == "executes" else crafted_array(rng)
    elif how == "a tensor too few":
        del content[name]
    elif how == "another shape":
        content[name] = content[name][:1]
    elif how == "not finite":
        content[name] = content[name] * float("nan")
    elif how == "no tensors":
        content = {n: odd_value(rng) for n in list(content)[:5]}
    else:
        content = {f"x{i}": torch.zeros(2, 2) for i in range(5)}
    if rng.random() < 0.3:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    return how


def make(rng: Random, place: Place) -> Case:
    """Loading a file of weights."""
    path, content = place.here / "w.pth", state()
    kind, refuse = rng.choice(("same", "same", "unfit", "unfit", "bytes", "file", "folder")), False
    what = kind
    if kind == "same":
        what = _same(rng, content, path)
        path = path if path.exists() else path.with_suffix(".safetensors")
    elif kind == "unfit":
        what, refuse = _unfit(rng, content, place.mark, path), True
    else:
        data = (place.valid / "w.pth").read_bytes()
        if kind == "bytes":
            data, what = damaged(data, rng)
        path.write_bytes(data)
    if kind == "file":
        what, refuse = f"{put_odd(path, rng)} in its place", True
    run = _loading(NAME, path)
    if kind == "folder":
        folder = place.here / "hub"
        folder.mkdir()
        save_file({n: v.contiguous() for n, v in content.items()}, folder / "model.safetensors")
        odd = json.dumps(dict(network=odd_value(rng), input_size=[64, 32]))
        size = json.dumps(
            dict(network=NAME, input_size=rng.choice(([0, 0], "x", [1e9, 1e9], [64])))
        )
        text = rng.choice((json.dumps(odd_value(rng)), "{", "", "[]", odd, size))
        (folder / "config.json").write_text(text)
        what, run, refuse = (
            f"a hub's config.json {text[:30]!r}",
            _loading("hub", None, SMALL[1:]),
            True,
        )

    def check(found: Tensor) -> str:
        wanted = torch.from_numpy(np.load(place.valid / "embedding.npy"))
        same = found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-5)
        return "" if same else "another embedding"

    return Case(what, run, check, refuse)


def _loading(
    name: str, path: Path | None, overrides: Sequence[str] = SMALL
) -> Callable[[], Tensor]:
    return lambda: vectors_of(Extractor(name, overrides, path)(CROP))


DOOR = Door("weights", "files of weights for ready networks, reidkit.load", make, prepare,
            share=0.7, seconds=60)  # fmt: skip
