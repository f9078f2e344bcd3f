"""Options of a component against its constructor: names, presence, types; nothing is built."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reidkit.config.problems import Problem, suggest

VARIABLE = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def option_problems(
    where: str, name: str, component: Callable, given: Mapping[str, Any], supplied: frozenset[str]
) -> Iterator[Problem]:
    """Unknown, missing and mistyped options.

    Args:
        where: the component's key.
        name: its registered name.
        component: class or function.
        given: the options without ``type``.
        supplied: parameters that the framework fills in.
    """
    parameters = inspect.signature(component).parameters
    hints = type_hints(component)
    own = {n: p for n, p in parameters.items() if p.kind not in VARIABLE and n not in supplied}
    is_open = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    listed = options_text(own.values(), hints)
    for key, value in given.items():
        if key not in parameters or parameters[key].kind in VARIABLE:
            if not is_open:
                near = suggest(str(key), own, "").split("?")
                hint = f"{near[0]}?   {listed}" if len(near) > 1 else listed
                yield Problem(f"{where}.{key}", f"{name} has no option {key!r}", hint)
        elif not fits(value, expected(parameters[key], hints)):
            wanted = type_text(expected(parameters[key], hints))
            what = f"expected {wanted}, got {value!r} ({type(value).__name__})"
            yield Problem(f"{where}.{key}", what, listed)
    missing = [n for n, p in own.items() if p.default is p.empty and n not in given]
    for key in missing:
        yield Problem(where, f"{name} needs option {key!r}", listed)


def options_text(parameters: Any, hints: Mapping[str, Any]) -> str:
    """The options as in a signature: ``options: regions: int = 9, pool: str = "max"``."""
    parts = []
    for p in parameters:
        wanted = expected(p, hints)
        text = p.name if wanted is Any else f"{p.name}: {type_text(wanted)}"
        if p.default is not p.empty:
            default = f'"{p.default}"' if isinstance(p.default, str) else repr(p.default)
            text += f" = {default}"
        parts.append(text)
    return f"options: {', '.join(parts) or 'none'}"


def type_hints(component: Callable) -> dict[str, Any]:
    """Annotations of the constructor, evaluated; empty where that is not possible."""
    component = getattr(component, "func", component)  # a library's network: a partial
    try:
        target = component.__init__ if inspect.isclass(component) else component  # type: ignore[misc]
        return typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError):
        return {}


def expected(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Any:
    """The type a parameter takes: its annotation, else its default's type, else anything."""
    if parameter.name in hints:
        hint = hints[parameter.name]
        return hint | None if parameter.default is None and _can_be_none(hint) else hint
    if parameter.default is parameter.empty or parameter.default is None:
        return Any
    return type(parameter.default)


def _can_be_none(hint: Any) -> bool:
    return isinstance(hint, type) or typing.get_origin(hint) is not None


def fits(value: Any, wanted: Any) -> bool:
    """Whether a config value may stand for a type; whole numbers are fine where floats are.

    Example:
        >>> fits(1, float), fits(0.5, int), fits(True, int), fits([1, 2], tuple[int, int])
        (True, False, False, True)
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, (str, typing.TypeVar)):
        return True
    if wanted is None or wanted is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is typing.Annotated:
        return fits(value, arguments[0])
    if wanted in (int, float, complex):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (wanted is not int and isinstance(value, float))
    if wanted in (bool, str):
        return isinstance(value, wanted)
    return _fits_container(value, origin or wanted, arguments)


def _fits_container(value: Any, base: Any, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(base, type):
        return True
    if base is tuple:
        if not isinstance(value, (list, tuple)):
            return False
        if not arguments or arguments[-1] is Ellipsis:
            return all(fits(item, arguments[0]) for item in value) if arguments else True
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if issubclass(base, Mapping):
        return isinstance(value, Mapping)
    if issubclass(base, (Sequence, set, frozenset)) or base.__module__ == "collections.abc":
        if not isinstance(value, (list, tuple)):
            return base.__name__ == "Callable"
        return all(fits(item, arguments[0]) for item in value) if arguments else True
    if base.__name__ in ("Path", "PathLike"):
        return isinstance(value, str)
    return isinstance(value, base) or base.__module__ not in ("builtins", "torch")


def type_text(wanted: Any) -> str:
    """A type as written in a signature.

    Example:
        >>> type_text(int | None), type_text(tuple[int, int]), type_text(typing.Literal["a", "b"])
        ('int | None', 'tuple[int, int]', '"a" or "b"')
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is type(None):
        return "None"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_text(one) for one in arguments)
    if origin is typing.Literal:
        quoted = [f'"{one}"' if isinstance(one, str) else repr(one) for one in arguments]
        return " or ".join(quoted)
    if isinstance(wanted, type) and origin is None:
        return wanted.__name__
    return str(wanted).replace("typing.", "").replace("collections.abc.", "")
