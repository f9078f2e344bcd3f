"""Configs and overrides, through ``reidkit train --print`` and ``--check``."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from random import Random
from typing import Any

from reidkit.config.files import configs_folder, plugin_configs
from reidkit.config.ranges import OPTIONS, RANGES, Bounds
from reidkit.config.saved import literal
from reidkit.plugin import discover
from reidkit.testing.fuzz.capture import captured
from reidkit.testing.fuzz.case import Case, Cli, Command, Door, Place
from reidkit.testing.fuzz.mutate import damaged, odd_name, odd_number, odd_value, paths_of, put_odd

PATTERNS = (("train", "lr_mult"), ("train", "decay_mult"), ("train", "freeze"))
SMALL = ("model.backbone.depth=10", "model.backbone.width=8", "input.size=(96,32)")
OWN = '_base_ = ["{base}"]\ntrain = dict(epochs=3, batch_size=16)\n'


def methods() -> list[str]:
    """Two configs of every shipped plugin, the first and the last."""
    shipped = [m for m in discover().plugins.values() if m.origin == "shipped"]
    return [name for m in shipped for name in plugin_configs(m)[:: len(plugin_configs(m)) - 1]]


def prepare(folder: Path, cli: Cli) -> None:
    """What every method resolves to."""
    for method in methods():
        with captured() as printed:
            cli(["train", method, "--print"])
        (folder / f"{method.replace('/', '-')}.txt").write_text(printed.out)


def tree_of(text: str) -> dict[str, Any]:
    """The keys that ``--print`` shows."""
    body = ast.parse(text).body
    return {node.targets[0].id: literal(node.value) for node in body}  # type: ignore[attr-defined]


def _outside(rng: Random, bounds: Bounds) -> Any:
    """A value that does not fit bounds."""
    values = [bounds.low - 1, math.nan, math.inf, -math.inf, "x", [], {}, True]
    values += [bounds.low] if bounds.above else []
    values += [bounds.high + 1] if bounds.high != math.inf else []
    values += [bounds.high] if bounds.below else []
    values += [0.5 + bounds.low] if bounds.whole else []
    value = rng.choice([v for v in values if bounds.problem(v)])
    if bounds.length is None or not isinstance(value, (int, float)):
        return value
    return [value] * (bounds.length or 2)


def _text(value: Any) -> str:
    """A value as it is typed: repr, but for numbers that have none."""
    if isinstance(value, float) and not math.isfinite(value):
        return "float('nan')" if math.isnan(value) else f"{'-' * (value < 0)}1e999"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return value if isinstance(value, str) else repr(value)


def _impossible(rng: Random, tree: dict[str, Any]) -> str | None:
    """An override that a training cannot use, by the table of ranges; None where none was found."""
    patterns = {**RANGES}
    for path in paths_of(tree):
        kind = {"train": "transforms"}.get(path[2] if len(path) > 2 else "", "")
        if path[:2] == ("model", "transforms") and kind and path[-1] in OPTIONS[kind]:
            patterns[path] = OPTIONS[kind][path[-1]]
    path = rng.choice(sorted(patterns, key=str))
    node: Any = tree
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    if node is None or "*" in path:
        return None
    return f"{'.'.join(path)}={_text(_outside(rng, patterns[path]))}"


def _overridden(rng: Random, place: Place) -> Case:
    """One override of a method: refused, or it changes its own key and no other."""
    method = rng.choice(methods())
    base = tree_of((place.valid / f"{method.replace('/', '-')}.txt").read_text())
    if rng.random() < 0.4 and (text := _impossible(rng, base)):
        argv = ("train", method, text, "--print")
        return Case(f"impossible {text[:60]}", lambda: place.command(*argv), refuse=True)
    path = rng.choice([p for p in paths_of(base) if p[0] not in ("resolved", "source", "groups")])
    key = ".".join(map(str, path))
    sign, value = rng.choice(("", "", "", "+", "~")), rng.choice((odd_value(rng), odd_number(rng)))
    key = f"{key}.{odd_name(rng)}" if rng.random() < 0.15 else key
    text = f"~{key}" if sign == "~" else f"{sign}{key}={_text(value)}"

    def check(found: Command) -> str | None:
        return _others(base, tree_of(found.out), tuple(key.split(".")))

    argv = ("train", method, text.replace("\0", "0"), "--print")
    return Case(f"override {text[:60]}", lambda: place.command(*argv), check)


def _others(base: dict[str, Any], found: dict[str, Any], path: tuple[str, ...]) -> str:
    """What has changed beside the key that was overridden, and what hangs on it."""
    own = path[:-1] if path[-1] == "type" else path
    before, after = (dict(_leaves(tree)) for tree in (base, found))
    for key in {*before, *after}:
        # named as the current folder has it; a swapped part takes its patterns along
        if key[0] == "source" or key[:2] in PATTERNS:
            continue
        related = key[: len(own)] == own[: len(key)] or own[: len(key)] == key
        if not related and repr(before.get(key)) != repr(after.get(key)):
            return f"{'.'.join(key)} was {before.get(key)!r} and is {after.get(key)!r}"
    return ""


def _leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict) and node:
        return [leaf for key, value in node.items() for leaf in _leaves(value, (*path, str(key)))]
    return [(path, node)]


LINES = (
    "_base_ = {value}", "train = {value}", "groups = {value}", "recipes = {value}",
    "model = dict(losses={value})", "train = dict(optimizer={value})", "plugins = {value}",
    "data = {value}", "data = dict(domains=dict(source={value}))", "hooks = dict(a={value})",
    "settings = {value}", "settings = dict(seed={value})", "evaluation = {value}",
    "model = dict(transforms=dict(train={value}))", "input = dict(size={value})",
    "prerequisites = dict(teacher={value})", "visualizers = {value}",
    "train = dict(stages={value})", "train = dict(schedule={value})",
    "train = dict(sampler={value})", "text = {value}",
    "import sys\nsys.exit({value})", "raise SystemExit", "raise KeyError('x')", "a = b",
    "train['train'] = train", "def f(): ...\nx = f", "train = dict(epochs={{{{_base_.x}}}})",
    "model = dict(backbone=dict(type={value}))", "resolved = {value}", "source = {value}",
)  # fmt: skip


def _own_file(rng: Random, place: Place) -> Case:
    """A config file of somebody's own, anywhere, with one line or some bytes changed."""
    base = rng.choice(methods())
    folder = configs_folder()
    text = OWN.format(base=f"{folder and folder.resolve()}/{base}.py")
    path, mode = place.here / "own.py", rng.choice(("--print", "--print", "--print", "--check"))
    kind = rng.choice(("line", "line", "line", "bytes", "file", "as it is"))
    what, data = f"config: {kind}", text.encode()
    if kind == "line":
        line = rng.choice(LINES).format(value=repr(odd_value(rng)).replace("inf", "1e999"))
        what = f"config with {line.splitlines()[0][:60]}"
        data = f"nan = float('nan')\ndel nan\n{text}{line}\n".encode("utf-8", "surrogateescape")
        data = data.replace(b"nan}", b"0}")
    elif kind == "bytes":
        data, how = damaged(data, rng)
        what = f"config: {how}"
    path.write_bytes(data)
    if kind == "file":
        what = f"config: {put_odd(path, rng)} in its place"
    argv = ("train", "own.py", mode, *(SMALL if mode == "--check" and kind == "as it is" else ()))

    def check(found: Command) -> str | None:
        if kind != "as it is" or mode == "--check":
            return None
        tree = tree_of(found.out)
        right = tree["train"]["epochs"] == 3 and tree["train"]["batch_size"] == 16
        return "" if right else "its own values have not arrived"

    return Case(f"{what} {mode}", lambda: place.command(*argv), check)


def _checked(rng: Random, place: Place) -> Case:
    """One or two changes to a small method, and the whole check with its dry run."""
    method = rng.choice(methods())
    base = tree_of((place.valid / f"{method.replace('/', '-')}.txt").read_text())
    inside = [p for p in paths_of(base) if p[0] in ("model", "train", "input", "evaluation")]
    texts = []
    for _ in range(rng.choice((1, 1, 2))):
        path = rng.choice(inside)
        value = rng.choice((1, 2, 3, 5, 0.5, 7, 64, None, "mean", odd_number(rng), odd_value(rng)))
        texts.append(f"{'.'.join(map(str, path))}={_text(value)}".replace("\0", "0"))
    argv = ("train", method, *SMALL, *texts, "--check")

    def check(found: Command) -> str | None:
        return None if "no problems" in found.out else f"passed without a word: {found.out[:80]!r}"

    return Case(f"check {' '.join(texts)[:80]}", lambda: place.command(*argv), check)


def make_override(rng: Random, place: Place) -> Case:
    """One override."""
    return _overridden(rng, place)


def make_config(rng: Random, place: Place) -> Case:
    """One config file, or one small method under the whole check."""
    return _checked(rng, place) if rng.random() < 0.3 else _own_file(rng, place)


OVERRIDES = Door("overrides", "overrides of shipped configs, train --print", make_override, prepare)
CONFIGS = Door("configs", "config files of one's own; train --print and --check", make_config,
               prepare, seconds=60)  # fmt: skip
