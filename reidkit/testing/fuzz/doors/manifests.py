"""Manifests of plugins, which every command reads; and the commands that look at plugins."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import yaml

from reidkit.config import config_names
from reidkit.plugin.discover import plugin_package
from reidkit.plugin.manifest import FILE
from reidkit.testing.fuzz.case import Case, Command, Door, Place
from reidkit.testing.fuzz.mutate import changed_tree, damaged, odd_name, odd_value, put_odd

VALID: dict[str, Any] = dict(
    name="toy", version="0.1.0", api=1, reidkit=">=0.1,<0.2", paper=dict(title="Toy", arxiv="1"),
    provides=dict(matchers=["Toy"]), requires=["numpy>=1"], bench="one line", description="text",
    settings=dict(a=dict(default=1, low=0, high=3, help="a number"),
                  b=dict(default="x", choices=["x", "y"])),
    extends=dict(label_formats=dict(f="m.read")),
)  # fmt: skip
CODE = """
from reidkit.evaluation import CosineMatcher
from reidkit.registry import MATCHERS


@MATCHERS.register_module()
class Toy(CosineMatcher):
    '''A matcher.'''
"""
TEXTS = (
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nname: [*b,*b,*b,*b,*b,*b,*b]\n",
    "name: !!python/object/apply:os.system ['touch {mark}']\n", "- a\n- b\n", "", "\t",
    "name: toy: x", "!!binary x", "name: toy\nname: toy\n", "? [a]\n: b\n", "<<: {{a: b}}\n",
    "name: 2026-13-45\n", "version: 1_000\n", "api: 0x1\n", "name: .nan\n", "--- a\n--- b\n",
    "{{}}", "[" * 3000,
)  # fmt: skip


def shipped() -> list[str]:
    """Names of the plugins that come with reidkit."""
    return [p.name for p in Path(plugin_package().__path__[0]).iterdir() if (p / FILE).is_file()]


def first_shipped() -> str:
    """One of them that has configs."""
    return min(name for name in shipped() if config_of(name))


def config_of(plugin: str) -> str:
    """The first shipped config of a plugin; empty without one."""
    return next((name for name in config_names() if name.startswith(f"{plugin}/")), "")


def make(rng: Random, place: Place) -> Case:
    """One command while a manifest of a stranger lies on the search path."""
    folder = place.here / "plugs" / "toy"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(CODE)
    path = folder / "plugin.yaml"
    kind = rng.choice(("tree", "tree", "tree", "text", "bytes", "file", "as it is"))
    what = f"manifest: {kind}"
    data = yaml.safe_dump(VALID).encode()
    if kind == "tree":
        tree, where, how = changed_tree(VALID, rng)
        data = yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")
        what = f"manifest: {'.'.join(map(str, where))} {how}"
    elif kind == "text":
        text = rng.choice(TEXTS).format(mark=place.mark)
        data, what = text.encode(), f"manifest: {text[:30]!r}"
    elif kind == "bytes":
        data, how = damaged(data, rng)
        what = f"manifest: {how}"
    path.write_bytes(data)
    if kind == "file":
        what = f"manifest: {put_odd(path, rng)} in its place"
    os.environ["REIDKIT_PLUGIN_PATH"] = str(place.here / "plugs")
    name = first_shipped()
    load, config = f"plugins=[{name},toy]", config_of(name)
    odd = odd_name(rng)
    argv: tuple[str, ...] = rng.choice(
        (("plugins", "list"), ("plugins", "list"), ("plugins", "show", name),
         ("plugins", "show", "toy"), ("plugins", "where", "BNNeckHead"), ("plugins", "show", odd),
         ("plugins", "check", odd), ("plugins", "new", odd, "--folder", "out"),
         ("plugins", "new", str(odd_value(rng))[:99], "--folder", "out"),
         ("train", config, "--print"), ("train", config, load, "--print"),
         ("train", config, load, "model.matcher=toy/Toy", "--print"))
    )  # fmt: skip
    argv = tuple(text.replace("\0", "0") for text in argv)
    own = any("toy" in text for text in argv) or argv[1] in ("new", "check")
    lists = argv == ("plugins", "list")

    def check(found: Command) -> str | None:
        lacking = [name for name in shipped() if lists and f"{name} " not in found.out]
        if lacking:
            return f"{lacking[0]} is listed no longer"
        return None if own else ""

    def run() -> Command:
        try:
            return place.command(*argv)
        except Exception as error:
            if lists or argv[1:] in (("show", name), (config, "--print")):
                raise RuntimeError(f"a manifest stopped another command: {error}") from error
            raise

    return Case(f"{what}; {' '.join(argv)[:50]}", run, check)


DOOR = Door("manifests", "a stranger's plugin.yaml; plugins list, show, where, check, new", make)
