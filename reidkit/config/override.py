"""Overrides: ``key=value`` changes or swaps, ``+key=value`` adds, ``~key`` removes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from reidkit.config.merge import merge
from reidkit.config.places import has_options
from reidkit.config.problems import Problem, suggest
from reidkit.config.saved import leaf_paths, literal
from reidkit.config.swap import drop_patterns, swap
from reidkit.kinds import PLACES, kind_of

Path = tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """One override as written: ``action`` is "set", "add" or "remove"."""

    action: str
    key: str
    value: Any = None

    @property
    def path(self) -> Path:
        return tuple(self.key.split("."))


@dataclass
class Applied:
    """What a list of overrides did to a config.

    Attributes:
        problems: overrides that were refused.
        notices: one line for each component swapped.
        paths: keys that now come from the command line.
    """

    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    paths: set[Path] = field(default_factory=set)

    def refuse(self, override: Override, what: str, hint: str = "") -> None:
        """Note a refused override."""
        self.problems.append(Problem(override.key, what, hint, command_line=True))


def parse_override(text: str) -> Override:
    """Read one override.

    Raises:
        ValueError: none of ``key=value``, ``+key=value``, ``~key``.

    Example:
        >>> parse_override("train.epochs=4"), parse_override("~model.losses.ps").action
        (Override(action='set', key='train.epochs', value=4), 'remove')
    """
    key, equals, value = text.partition("=")
    name = key.lstrip("+~")
    sign = key[: len(key) - len(name)]
    if sign == "~" and not equals and _is_key(name):
        return Override("remove", name)
    if sign in ("", "+") and equals and _is_key(name):
        return Override("add" if sign else "set", name, parse_value(value))
    raise ValueError(f"{text!r} is no override; write key=value, +key=value or ~key")


def _is_key(name: str) -> bool:
    return bool(name) and all(part and not part.isspace() for part in name.split("."))


def parse_value(text: str) -> Any:
    """A Python literal, ``dict(...)`` included; anything else is text.

    Example:
        >>> [parse_value(t) for t in ("0.5", "(1, 2)", "True", "None", "OSNet", "dict(type='A')")]
        [0.5, (1, 2), True, None, 'OSNet', {'type': 'A'}]
    """
    try:
        return literal(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def apply_overrides(tree: dict[str, Any], overrides: list[Override]) -> Applied:
    """Change a plain config tree in place, one override after the other.

    Args:
        tree: dicts and lists; list items are addressed by number ("hooks.0.every").
        overrides: in the order of the command line.

    Returns:
        What was refused, noticed and set.
    """
    done = Applied()
    for override in overrides:
        parent = _parent(tree, override, done)
        if parent is None:
            continue
        if override.action == "set":
            _set(parent, override, done, tree)
        else:
            {"add": _add, "remove": _remove}[override.action](parent, override, done)
    return done


def _parent(tree: dict[str, Any], override: Override, done: Applied) -> dict | list | None:
    """The dict or list that holds the key; None, with a problem, when there is none."""
    node: Any = tree
    for depth, part in enumerate(override.path[:-1]):
        here = ".".join(override.path[:depth]) or "the config"
        if isinstance(node, list) and _index(node, part) is not None:
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, dict) and (override.action == "add" or here == "settings"):
            node = node.setdefault(part, {})
            done.paths.add(override.path[: depth + 1])
        elif not depth and part == "settings":
            node = node.setdefault(part, {})
        else:
            hint = _deeper(override.path, tree) or _known(part, node)
            done.refuse(override, f"no key {part!r} in {here}", hint)
            return None
    if not isinstance(node, (dict, list)):
        done.refuse(override, f"{'.'.join(override.path[:-1])} is {node!r} and has no keys")
        return None
    return node


def _index(items: list, part: str) -> int | None:
    return int(part) if part.isdigit() and int(part) < len(items) else None


def _known(part: str, node: Any) -> str:
    if isinstance(node, list):
        return f"items: 0 to {len(node) - 1}" if node else "the list is empty"
    return suggest(part, map(str, node), "keys") if isinstance(node, dict) else ""


def _deeper(path: Path, tree: Any) -> str:
    """The nearest key of that name further down, as a question; empty where there is none.

    Example:
        >>> _deeper(("train", "lr"), dict(train=dict(optimizer=dict(lr=0.1))))
        "did you mean 'train.optimizer.lr'?"
    """
    places = [*_paths(tree, ()), *(place for place in PLACES if "*" not in place)]
    ends = [one for one in places if one[-1] == path[-1] and len(one) > len(path)]
    same = [one for one in ends if len(path) == 1 or one[0] == path[0] or one[-2:] == path[-2:]]
    near = min(same, key=len, default=None)
    return "" if near is None else f"did you mean {'.'.join(near)!r}?"


def _paths(node: Any, path: Path) -> Iterator[Path]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield (*path, str(key))
        yield from _paths(value, (*path, str(key)))


def _has(parent: dict | list, key: str) -> bool:
    return _index(parent, key) is not None if isinstance(parent, list) else key in parent


def _set(parent: dict | list, override: Override, done: Applied, tree: Any) -> None:
    key, value = override.path[-1], override.value
    if not _has(parent, key):
        # an option that the config leaves at its default: the check knows the signature
        if not isinstance(parent, dict) or not has_options(override.path[:-1], parent):
            hint = _known(key, parent)
            if not hint.startswith("did you mean"):
                hint = _deeper(override.path, tree) or hint
            done.refuse(override, "no such key; +key=value adds one", hint)
            return
        parent[key] = _as_component(override)
        done.paths.add(override.path)
        return
    place: Any = int(key) if isinstance(parent, list) else key
    old = parent[place]
    if key == "type" and isinstance(parent, dict) and isinstance(value, str):
        _swap(parent, override.path[:-1], value, done, tree)
    elif _is_component(override.path, old) and isinstance(value, str) and _is_name(value):
        _swap(old, override.path, value, done, tree)
    else:
        what = mismatch(old, value)
        if what and not _is_schedule(override.path, value):
            done.refuse(override, *what)
            return
        parent[place] = _fit(old, value)
        if isinstance(old, dict) and isinstance(value, dict):
            if value.get("type", old.get("type")) != old.get("type"):
                done.notices += drop_patterns(tree, override.path, done.paths)
            done.paths.update(leaf_paths(value, override.path))
            return
    done.paths.add(override.path)


def _swap(component: dict[str, Any], place: Path, name: str, done: Applied, tree: Any) -> None:
    notice = swap(component, ".".join(place), name)
    if notice:
        done.notices += [notice, *drop_patterns(tree, place, done.paths)]


def _is_schedule(path: Path, value: Any) -> bool:
    """The one key that holds a component or a list of them: either replaces the other."""
    return path == ("train", "schedule") and isinstance(value, (dict, list, tuple))


def _is_component(path: Path, old: Any) -> bool:
    return isinstance(old, dict) and ("type" in old or kind_of(path) is not None)


def _is_name(value: str) -> bool:
    """Whether text may name a component: a class, a plugin's class, a library's network."""
    return re.fullmatch(r"[^\W\d]\w*(/[\w.-]+)?", value) is not None


def _as_component(override: Override) -> Any:
    """A name set at the place of a component means that component."""
    if isinstance(override.value, str) and kind_of(override.path) is not None:
        return {"type": override.value}
    return override.value


def _add(parent: dict | list, override: Override, done: Applied) -> None:
    key = override.path[-1]
    if isinstance(parent, list):
        if key != str(len(parent)):
            done.refuse(override, f"a list is added to at its end: write +...{len(parent)}=value")
            return
        parent.append(_as_component(override))
    elif key in parent:
        done.refuse(override, "exists already; write key=value without the +")
        return
    else:
        parent[key] = _as_component(override)
    done.paths.add(override.path)


def _remove(parent: dict | list, override: Override, done: Applied) -> None:
    key = override.path[-1]
    if not _has(parent, key):
        done.refuse(override, "no such key to remove", _known(key, parent))
    elif isinstance(parent, list):
        del parent[int(key)]
    else:
        del parent[key]


def mismatch(old: Any, new: Any) -> tuple[str, str] | None:
    """Why ``new`` cannot stand where ``old`` stood, with a hint; None when it can.

    None fits everywhere and everything fits where None was. Whether a fraction may replace a whole
    number is left to the component's signature.
    """
    if old is None or new is None or type(old) is type(new):
        return None
    number, sequence = (int, float), (list, tuple)
    if not isinstance(old, bool) and not isinstance(new, bool):
        if isinstance(old, number) and isinstance(new, number):
            return None
        if isinstance(old, sequence) and isinstance(new, sequence):
            return None
    got = "text" if isinstance(new, str) else type(new).__name__
    hint = ""
    if isinstance(old, bool) and str(new).lower() in ("true", "false"):
        hint = f"write {str(new).capitalize()}"
    return f"expected {_kind(old)}, got {new!r} ({got})", hint


def _kind(value: Any) -> str:
    if isinstance(value, dict) and "type" in value:
        return f"a component such as {value['type']}"
    return "text" if isinstance(value, str) else f"{type(value).__name__} such as {value!r}"


def _fit(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return merge(dict(one=old), dict(one=new))["one"]
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return type(old)(new)
    return float(new) if isinstance(old, float) and type(new) is int else new
