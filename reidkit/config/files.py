"""Config files: where they lie, and each one evaluated as a layer of its own.

A config is a Python file: reading it runs its code. Its top-level names are the keys; names that
start with an underscore, modules, functions and classes are the file's own. ``_base_`` names one or
several files whose keys lie below its own; ``_base_.train.epochs`` reads a value of theirs.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import inspect
import os
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from reidkit.config.merge import merge
from reidkit.config.problems import nearest
from reidkit.config.saved import UNREADABLE
from reidkit.errors import UserError
from reidkit.plugin.discover import discover, why_unfound
from reidkit.plugin.errors import display_path
from reidkit.plugin.manifest import Manifest

PACKAGE = "reidkit_configs"
DEFAULT = Path("_base_", "default.py")
_BESIDE = Path(__file__).resolve().parents[2]  # where reidkit is installed
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Layer:
    """The keys that one file sets itself, without those of its bases."""

    path: Path
    keys: dict[str, Any]
    part: str = ""  # of the file, where the keys are one part of it

    @property
    def label(self) -> str:
        """The file, as shown to people; a shipped one without the folder of the installation."""
        shipped = self.path.is_relative_to(_BESIDE / PACKAGE)
        place = str(self.path.relative_to(_BESIDE)) if shipped else display_path(self.path)
        return " ".join(filter(None, (place, self.part)))


def configs_folder() -> Path | None:
    """The folder of the shipped configs, installed or beside the package in its repository."""
    spec = importlib.util.find_spec(PACKAGE)
    places = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    places.append(Path(__file__).resolve().parents[2] / "configs")
    return next((place for place in places if (place / DEFAULT).is_file()), None)


def is_installed(file: Path) -> bool:
    """Whether a config file is a shipped one or a plugin's: code that is trusted already."""
    installed = [configs_folder(), *(m.location / "configs" for m in discover().plugins.values())]
    place = Path(os.path.realpath(file))  # a stranger's link may lead to itself
    return any(place.is_relative_to(os.path.realpath(one)) for one in installed if one)


def config_path(name: str) -> Path:
    """The file of a config given by path, or by name as in "mypaper/baseline".

    Looked for, in this order: as a path, with and without ``.py``; in the shipped configs; in the
    folder ``configs`` of the plugin that the name starts with.

    Raises:
        UserError: not found, with the nearest name.
    """
    for path in _places(name):
        if path.suffix == ".py" and is_file(path):
            return path
    if is_file(Path(name)):
        raise UserError(f"{name}: a config is a Python file whose name ends in .py")
    plugins = discover().plugins.values()
    known = sorted({*config_names(), *(one for m in plugins for one in plugin_configs(m))})
    near = nearest(_bare(name), known)
    hint = f"did you mean {near!r}? " if near else ""
    owner = _bare(name).partition("/")[0]
    unfound = "/" in name and owner not in {one.partition("/")[0] for one in known}
    why = why_unfound(owner) if unfound else ""
    raise UserError(
        f"{name:.200}: no such config; {hint}available: {', '.join(known) or 'none'}{why}"
    )


def is_file(path: Path) -> bool:
    """Whether a file is there; a path that cannot be one is not.

    Example:
        >>> is_file(Path("a" * 10_000))
        False
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name
        return False


def config_names() -> Iterator[str]:
    """Names of all shipped configs ("mypaper/baseline"), without bases and group files."""
    folder = configs_folder()
    for path in sorted(folder.glob("*/*.py")) if folder else []:
        if not path.parent.name.startswith("_") and not path.name.startswith("_"):
            yield f"{path.parent.name}/{path.stem}"


def plugin_configs(manifest: Manifest) -> list[str]:
    """Names of a plugin's configs ("mypaper/baseline"): the shipped ones and its own."""
    shipped = {name for name in config_names() if name.split("/")[0] == manifest.name}
    own = {f"{manifest.name}/{p.stem}" for p in (manifest.location / "configs").glob("[!_]*.py")}
    return sorted(shipped | own)


def _bare(name: str) -> str:
    return name.removesuffix(".py").removeprefix("./").removeprefix("configs/")


def _places(name: str) -> Iterator[Path]:
    yield Path(name)
    yield Path(name + ".py")
    bare, folder = _bare(name), configs_folder()
    if folder:
        yield folder / f"{bare}.py"
    plugin, _, rest = bare.partition("/")
    manifest = discover().plugins.get(plugin) if rest else None
    if manifest:
        yield manifest.location / "configs" / f"{rest}.py"


def read_layers(path: Path, _above: Sequence[Path] = ()) -> list[Layer]:
    """The file's own keys and those of its bases, lowest first.

    Raises:
        UserError: a missing base, files that name each other, or an error while running one.
    """
    path = path.resolve()
    if path in _above:
        chain = " -> ".join(display_path(p) for p in (*_above, path))
        raise UserError(f"{display_path(path)}: _base_ leads back to the file itself: {chain}")
    tree = _parse(path)
    layers: list[Layer] = []
    for base in _bases(tree, path):
        if not is_file(base):
            shown = display_path(base)
            raise UserError(f"{display_path(path)}: _base_ {shown:.200} does not exist")
        seen = {layer.path for layer in layers}
        layers += [new for new in read_layers(base, (*_above, path)) if new.path not in seen]
    return [*layers, Layer(path, _run(tree, path, join(layers)))]


def join(layers: Iterable[Layer]) -> dict[str, Any]:
    """The keys of several layers, lowest first, as one tree."""
    tree: dict[str, Any] = {}
    for layer in layers:
        tree = merge(tree, layer.keys)
    return tree


def is_default(path: Path) -> bool:
    """Whether a file is the ``_base_/default.py`` of its folder, which lies below everything."""
    return path.parts[-2:] == DEFAULT.parts


def default_layers(layers: Sequence[Layer] = ()) -> list[Layer]:
    """What lies lowest: the ``_base_/default.py`` among the layers, else the shipped one."""
    among, folder = [one for one in layers if is_default(one.path)], configs_folder()
    return among if among or folder is None else read_layers(folder / DEFAULT)


def _parse(path: Path) -> ast.Module:
    try:  # some editors put a mark before the first letter
        tree = ast.parse(path.read_text(encoding="utf-8-sig"), str(path))
    except (SyntaxError, ValueError, OSError, MemoryError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(f"{display_path(path)}{line}: {type(error).__name__}: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Set) and any(isinstance(one, ast.Set) for one in node.elts):
            raise UserError(
                f"{display_path(path)}, line {node.lineno}: templates such as "
                f"{ast.unparse(node)} are not filled in; write _base_.<key>, as in "
                "epochs=_base_.train.epochs"
            )
    return tree


def _bases(tree: ast.Module, path: Path) -> list[Path]:
    """The paths that ``_base_`` names; its assignment is taken out of the tree."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_base_":
            tree.body.remove(node)
            try:
                named = ast.literal_eval(node.value)
            except UNREADABLE:
                named = None
            named = [named] if isinstance(named, str) else named
            if not isinstance(named, (list, tuple)) or not all(
                isinstance(name, str) and "\0" not in name for name in named
            ):
                raise UserError(
                    f"{display_path(path)}, line {node.lineno}: _base_ must be a path or a list of "
                    "paths"
                )
            return [path.parent / name for name in named]
    return []


def _run(tree: ast.Module, path: Path, below: dict[str, Any]) -> dict[str, Any]:
    """Run a config file and take its keys."""
    names: dict[str, Any] = {"_base_": ConfigDict(copy.deepcopy(below)), "__file__": str(path)}
    try:
        exec(compile(tree, str(path), "exec"), names)
    except (Exception, SystemExit) as error:  # a config that ends Python has no keys
        lines = [
            f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
        ]
        line = f", line {lines[-1]}" if lines else ""
        raise UserError(f"{display_path(path)}{line}: {type(error).__name__}: {error}") from error
    keys = {}
    for name, value in names.items():
        own = inspect.ismodule(value) or inspect.isroutine(value) or inspect.isclass(value)
        if not name.startswith("_") and not own:
            try:
                keys[name] = _plain(value, name, path)
            except RecursionError:
                raise UserError(
                    f"{display_path(path)}: {name}: holds itself, or nests too deeply"
                ) from None
    return keys


def _plain(value: Any, where: str, path: Path) -> Any:
    """The value as plain Python, so that a config can be saved and read again."""
    if isinstance(value, dict):
        return {key: _plain(item, f"{where}.{key}", path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(item, f"{where}.{i}", path) for i, item in enumerate(value)]
        return type(value)(items) if type(value) in (list, tuple) else items
    if type(value) in _PLAIN:
        if isinstance(value, str) and "{{" in value:
            raise UserError(
                f"{display_path(path)}: {where}: templates such as {value!r} are not filled in; "
                "write _base_.<key>, or Python with __file__ and os.environ"
            )
        return value
    raise UserError(
        f"{display_path(path)}: {where}: a config holds numbers, text, None, lists and dicts; got "
        f"{type(value).__name__}"
    )
