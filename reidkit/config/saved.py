"""A resolved config as text: written as Python literals, and read as literals, never executed."""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reidkit.config.portable import is_portable, read_portable
from reidkit.errors import UserError

WIDTH = 100
# what ast raises
UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
Origin = Callable[[tuple[str, ...]], str]


def render(cfg: Mapping[str, Any], origin: Origin | None = None) -> str:
    """The resolved config as the text of a config file.

    ``read_saved`` of the text gives the same keys. They keep their order, since the order of loss
    roles is the order of their computation.

    Args:
        cfg: the resolved config.
        origin: says where the value of a key comes from; written behind each line, as a comment.

    Example:
        >>> print(render(dict(train=dict(epochs=2, lr=float("inf")), hooks={})), end="")
        train = dict(epochs=2, lr=1e999)
        hooks = dict()
        >>> print(render(dict(seed=3), lambda path: "command line"), end="")
        seed = 3  # command line
    """
    keys = cfg.to_dict() if hasattr(cfg, "to_dict") else cfg
    written = [_entry(f"{key} = ", value, (key,), 0, origin) for key, value in keys.items()]
    return "".join(written)


def _entry(
    head: str, value: Any, path: tuple[str, ...], depth: int, origin: Origin | None, tail: str = ""
) -> str:
    """One key's lines: on one line where it fits and everything comes from one place."""
    pad = "    " * depth
    sources = {} if origin is None else dict.fromkeys(map(origin, leaf_paths(value, path)))
    note = f"  # {next(iter(sources))}" if len(sources) == 1 and any(sources) else ""
    line = f"{pad}{head}{_line(value)}{tail}"
    container = isinstance(value, (dict, list, tuple)) and len(value) > 0
    if len(sources) < 2 and (not container or (len(line) < WIDTH and len(value) <= 8)):
        return f"{line}{note}\n"
    inner = None if len(sources) < 2 else origin
    left, items, right = _parts(value)
    body = "".join(
        _entry(name, item, (*path, key), depth + 1, inner, ",") for name, key, item in items
    )
    return f"{pad}{head}{left}{note}\n{body}{pad}{right}{tail}\n"


def leaf_paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of the values of a tree; a list is one value, an empty dict too.

    Example:
        >>> leaf_paths(dict(a=dict(b=1, c=[2])))
        [('a', 'b'), ('a', 'c')]
    """
    if not isinstance(value, dict) or not value:
        return [path]
    return [leaf for key, item in value.items() for leaf in leaf_paths(item, (*path, str(key)))]


def _parts(value: Any) -> tuple[str, list[tuple[str, str, Any]], str]:
    """Opening bracket; items as (text before it, key, item); closing bracket."""
    if isinstance(value, dict):
        words = all(_is_word(key) for key in value)
        names = [f"{key}=" if words else f"{_line(key)}: " for key in value]
        items = [(name, str(key), item) for name, (key, item) in zip(names, value.items())]  # noqa: B905
        return ("dict(" if words else "{"), items, (")" if words else "}")
    left, right = "[]" if isinstance(value, list) else "()"
    return left, [("", str(i), item) for i, item in enumerate(value)], right


def _line(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return 'float("nan")' if math.isnan(value) else f"{'-' * (value < 0)}1e999"
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in text else f'"{text[1:-1]}"'
    if not isinstance(value, (dict, list, tuple)):
        return repr(value)
    left, items, right = _parts(value)
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return left + ", ".join(name + _line(item) for name, _, item in items) + comma + right


def _is_word(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def is_saved(path: Path) -> bool:
    """Whether a file is a config that a run has saved: it says ``resolved = True``.

    So does the ``config.json`` of a saved model.
    """
    if path.suffix == ".json":
        return is_portable(path) and read_portable(path).get("resolved") is True
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except UNREADABLE:
        return False
    return any(
        isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == "resolved"
        and getattr(node.value, "value", None) is True
        for node in body
    )


def read_saved(path: Path) -> dict[str, Any]:
    """The keys of a config that a run has saved: literals, so that nothing in it is executed.

    Raises:
        UserError: anything but assignments of literals, with the line; groups that are no names.
    """
    keys = read_portable(path) if path.suffix == ".json" else _assignments(path)
    groups = keys.get("groups", {})
    if not isinstance(groups, dict) or not all(map(_is_name, groups.values())):
        raise UserError(f"{path}: groups: expected names of recipe and data, got {groups!r:.80}")
    return keys


def _assignments(path: Path) -> dict[str, Any]:
    """The names that a file of literals assigns, and their values."""
    keys: dict[str, Any] = {}
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text, str(path)).body:
        try:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                raise ValueError
            keys[node.targets[0].id] = literal(node.value)
        except UNREADABLE:
            got = ast.get_source_segment(text, node) or ""
            raise UserError(
                f"{path}, line {node.lineno}: a saved config holds literals only and is not "
                f"executed; got: {got[:60]}"
            ) from None
    return keys


def _is_name(value: Any) -> bool:
    """Whether a group's value is a name, and no path of a file that would be executed."""
    return isinstance(value, str) and not set(value) & set("/\\:")


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of everything in a tree that is neither dict nor list."""
    if isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, item in items:
        yield from _leaves(item, (*path, str(key)))


def python_files(value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, file) of every value of a tree that names a Python file.

    Example:
        >>> list(python_files(dict(data=dict(labeller=dict(config="pose.py", flip=True)))))
        [(('data', 'labeller', 'config'), 'pose.py')]
    """
    for path, leaf in _leaves(value):
        if isinstance(leaf, str) and Path(leaf).suffix == ".py":
            yield path, leaf


def literal(node: ast.expr) -> Any:
    """The value of a literal; ``dict(a=1)`` and ``float("nan")`` count as literals.

    Raises:
        ValueError: code, or a whole number of more than 64 bits.
    """
    value = ast.literal_eval(_Calls().visit(node))
    if too_large := list(beyond_64_bits(value)):
        raise ValueError(f"a number of {too_large[0][1].bit_length()} bits; 64 is the most")
    return value


def beyond_64_bits(value: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    """(path, number) of every whole number of a tree that has more than 64 bits.

    Example:
        >>> [path for path, _ in beyond_64_bits(dict(a=1, b=[0, 10**30]))]
        [('b', '1')]
    """
    for path, leaf in _leaves(value):
        if type(leaf) is int and not -(2**63) <= leaf < 2**63:
            yield path, leaf


class _Calls(ast.NodeTransformer):
    """``dict(a=1)`` as ``{"a": 1}`` and ``float("nan")`` as 1e999 - 1e999, which is the same."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "dict" and not node.args and all(k.arg for k in node.keywords):
            keys: list[ast.expr | None] = [ast.Constant(k.arg) for k in node.keywords]
            return ast.Dict(keys, [k.value for k in node.keywords])
        if ast.unparse(node) == "float('nan')":
            return ast.Constant(math.nan)
        return node
