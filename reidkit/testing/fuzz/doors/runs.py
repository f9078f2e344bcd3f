"""Run folders: config, checkpoint, metrics; every command that opens one."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from reidkit.config import prepare_config, render
from reidkit.config.files import configs_folder
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.extractor import Extractor
from reidkit.engine.folder import CHECKPOINT
from reidkit.errors import UserError
from reidkit.testing.fuzz.capture import captured
from reidkit.testing.fuzz.case import Case, Cli, Door, Place
from reidkit.testing.fuzz.doors.configs import tree_of
from reidkit.testing.fuzz.doors.crops import picture, vectors_of, write_crops
from reidkit.testing.fuzz.hostile import crafted_array, executing
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_value, put_odd

OWN = """_base_ = ["{folder}/_base_/default.py"]
data = dict(
    _delete_=True, name="mine", tests=["source"],
    domains=dict(source=dict(type="ImageFolder", root="mine", camera=r"c(\\d)")),
)
recipes = dict(quick=dict())
model = dict(
    type="ReIDModel", backbone=dict(type="ResNet", depth=10, width=8, stages=3),
    head=dict(type="BNNeckHead"),
    losses=dict(id=dict(domain="source", loss=dict(type="CrossEntropyLoss"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict(
        train=dict(normalize=dict(type="Normalize")), test=dict(normalize=dict(type="Normalize"))
    ),
)
input = dict(size=(64, 32))
train = dict(epochs=1, batch_size=4)
visualizers = []
settings = dict(workers=0, device="cpu", pictures=False, precision="fp32", data_root="{data}")
"""
CROP = picture(5, 70, 30)


def prepare(folder: Path, cli: Cli) -> None:
    """Data, a run of an untrained model, and its right numbers."""
    write_crops(folder / "mine")
    shipped = configs_folder()
    text = OWN.format(folder=shipped and shipped.resolve(), data=folder)
    (folder / "own.py").write_text(text)
    run = folder / "run"
    (run / CHECKPOINT).parent.mkdir(parents=True)
    cfg = prepare_config(folder / "own.py")
    (run / "config.py").write_text(render(cfg))
    torch.manual_seed(0)
    training_set = dict(num_identities=4, cameras=[1, 2])
    state = build_model(cfg, TrainingSet(4, (1, 2))).state_dict()
    torch.save(
        dict(state_dict=state, meta=dict(epoch=1, training_set=training_set)), run / CHECKPOINT
    )
    with captured() as printed:
        status = cli(["test", str(run), "--out", str(folder / "right.json")])
    if status:
        raise UserError(f"the valid run cannot be tested: {printed.err}")
    shutil.copy(folder / "right.json", run / "metrics.json")
    np.save(folder / "embedding.npy", vectors_of(Extractor(run)(CROP)).numpy())


def _numbers(content: dict[str, Any]) -> dict[str, Any]:
    return {name: test["metrics"] for name, test in content["tests"].items()}


def _opened(rng: Random, place: Place) -> tuple[str, Callable[[], Any], Callable[[Any], str]]:
    """A way into the run folder, and what it must give."""
    right = json.loads((place.valid / "right.json").read_text())
    door = rng.choice(
        ("test", "test", "test", "extract", "load", "load", "show", "resume", "generate")
    )

    def test() -> Any:
        place.command("test", "run", "--out", "out/m.json")
        return _numbers(json.loads((place.out / "m.json").read_text()))

    def extract() -> Any:
        place.command("extract", "run", "--out", "out/f")
        place.command("evaluate", "out/f/source", "--out", "out/m.json")
        metrics = json.loads((place.out / "m.json").read_text())["metrics"]
        return {"source": {k: metrics[k] for k in ("mAP", "R1")}}

    def load() -> Any:
        return vectors_of(Extractor("run")(CROP)).numpy()

    def numbers(found: Any) -> str:
        wanted = _numbers(right)
        for name, value in found.get("source", {}).items():
            if not abs(value - wanted["source"].get(name, np.nan)) < 1e-6:
                return f"{name} is {value}, right is {wanted['source'].get(name)}"
        return "" if found else "no numbers"

    def vectors(found: Any) -> str:
        wanted = np.load(place.valid / "embedding.npy")
        same = found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-5)
        return "" if same else "another embedding"

    def generate() -> Any:  # of a model that generates nothing
        return place.command("generate", "run", "--grid", "out/x.png")

    def resume() -> Any:
        return place.command("train", place.valid / "own.py", "--work-dir", "run", "--resume")

    doors: dict[str, tuple[Callable, Callable]] = {
        "test": (test, numbers), "extract": (extract, numbers), "load": (load, vectors),
        "show": (lambda: place.command("show-correspondences", "run"), lambda found: ""),
        "resume": (resume, lambda found: ""),
        "generate": (generate, lambda found: "pictures out of a model that makes none"),
    }  # fmt: skip
    return door, *doors[door]


def _config(rng: Random, place: Place) -> tuple[str, bool, bool]:
    """A change to config.py; whether it must be refused, and whether the numbers stay."""
    path = place.here / "run" / "config.py"
    text = path.read_text()
    how = rng.choice(("code", "code", "bytes", "value"))
    if how == "code":
        code = rng.choice((
            f"open({str(place.mark)!r}, 'w')", f"__import__('os').system('touch {place.mark}')",
            f"x = [open({str(place.mark)!r}, 'w')]", "import os", "def f(): ...", "a.b = 1",
            f"f'{{open({str(place.mark)!r}, 1)}}'", "x = dict(**{'a': 1})", "x = lambda: 0",
            "x: int = 1", "if 1: y = 2",
        ))  # fmt: skip
        lines = text.splitlines()
        lines.insert(rng.randrange(len(lines) + 1), code)
        path.write_text("\n".join(rng.choice((lines, [*text.splitlines(), code]))))
        return f"config.py with {code[:40]}", False, False
    if how == "bytes":
        new, what = damaged(text.encode(), rng)
        path.write_bytes(new)
        return f"config.py: {what}", False, False
    tree, where, what = changed_tree(tree_of(text), rng)
    path.write_text(render(tree) if isinstance(tree, dict) else repr(tree))
    return f"config.py: {'.'.join(map(str, where))} {what}", False, False


def _checkpoint(rng: Random, place: Place) -> tuple[str, bool, bool]:
    path = place.here / "run" / CHECKPOINT
    how = rng.choice(("bytes", "bytes", "executes", "crafted", "content", "other", "weights"))
    if how == "bytes":
        new, what = damaged(path.read_bytes(), rng)
        path.write_bytes(new)
        return f"last.pth: {what}", False, True
    content = torch.load(path, weights_only=True)
    if how in ("executes", "crafted"):
        value = executing(rng, place.mark) if how == "executes" else crafted_array(rng)
        key = rng.choice(("epoch", "hook_msgs", "x"))
        content[rng.choice(("meta", "state_dict"))][key] = value
    elif how == "content":
        content["meta"], where, what = changed_tree(content["meta"], rng)
        torch.save(content, path)
        return f"last.pth: meta.{'.'.join(map(str, where))} {what}", False, True
    elif how == "weights":
        name = rng.choice(sorted(content["state_dict"]))
        value = content["state_dict"][name]
        content["state_dict"][name] = rng.choice(
            (value.double(), value.flatten(), value * float("nan"), value.tolist(), odd_value(rng),
             value.to(torch.complex64), value[None], value.to_sparse())
        )  # fmt: skip
        torch.save(content, path)
        return f"last.pth: {name} of another kind", False, True
    else:
        content = rng.choice(([1], 5, "text", torch.zeros(3), {}, {"a": torch.zeros(2)}, None))
    if rng.random() < 0.3:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    return f"last.pth: {how}", True, True


def _other(rng: Random, place: Place) -> tuple[str, bool, bool]:
    """Metrics, missing files, links and pipes."""
    run = place.here / "run"
    how = rng.choice(("metrics", "metrics bytes", "file", "link out", "missing"))
    path = rng.choice((run / "metrics.json", run / "config.py", run / CHECKPOINT))
    if how == "metrics":
        tree, where, what = changed_tree(json.loads((run / "metrics.json").read_text()), rng)
        (run / "metrics.json").write_text(json.dumps(tree))
        return f"metrics.json: {'.'.join(map(str, where))} {what}", False, True
    if how == "metrics bytes":
        data, what = damaged((run / "metrics.json").read_bytes(), rng)
        (run / "metrics.json").write_bytes(data)
        return f"metrics.json: {what}", False, True
    if how == "file":
        return f"{path.name}: {put_odd(path, rng)} in its place", False, True
    if how == "link out":
        name = rng.choice(
            ("log", "checkpoints/.last.pth.tmp", "queries_source.csv", ".last.pth.tmp")
        )
        (run / name).symlink_to(place.here.parent / "beside" / "precious.txt")
        return f"a link out of it: {name}", False, True
    path.unlink()
    return f"no {path.name}", False, True


def make(rng: Random, place: Place) -> Case:
    """Opening a run folder in which something has changed."""
    shutil.copytree(place.valid / "run", place.here / "run")
    door, run, right = _opened(rng, place)
    what, refuse, same = rng.choice((_config, _checkpoint, _checkpoint, _other))(rng, place)
    if door in ("show", "resume"):
        refuse = False  # one reads no weights, the other may find nothing to resume
    if "metrics.json" in what and door != "test":
        same = True
    check = right if same else (lambda found: None)
    return Case(f"{door}: {what}", run, check, refuse)


DOOR = Door("runs", "run folders: test, extract, load, pictures, generate, --resume", make,
            prepare, writes=("run",), share=2.0, seconds=60)  # fmt: skip
