"""The documented arguments of a component against its signature."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

_SECTION = re.compile(r"^ *(?:Args|Attributes|Shape|Raises|Returns|Source|Example|Yields):\s*$")
_ENTRY = re.compile(r"^( *)(\w+(?:, \w+)*): ")


def documentation_problems(component: Callable) -> list[str]:
    """What a docstring lacks or has too much of; empty when it says what the signature says.

    The ``Args:`` section of the class (or of its ``__init__``) must name every parameter of the
    constructor and no others. Several that mean one thing may share an entry ("seed, rank: ...").

    Example:
        >>> class Half:
        ...     \"\"\"Halves.
        ...
        ...     Args:
        ...         of: what is halved.
        ...     \"\"\"
        ...     def __init__(self, amount): pass
        >>> documentation_problems(Half)
        ["'amount' is not documented", "'of' is documented but no argument"]
    """
    text = inspect.cleandoc(component.__doc__ or "")  # its own: torch.nn.Module's says nothing
    if not text:
        return ["there is no docstring"]
    if inspect.isclass(component) and "Args:" not in text:
        text += "\n" + (inspect.getdoc(component.__init__) or "")
    documented = list(documented_arguments(text))
    named = list(inspect.signature(component).parameters)
    problems = [f"{name!r} is not documented" for name in named if name not in documented]
    problems += [
        f"{name!r} is documented but no argument" for name in documented if name not in named
    ]
    return problems


def documented_arguments(text: str) -> Iterator[str]:
    """Names in the ``Args:`` section of a docstring, in order."""
    inside, indent = False, -1
    for line in text.splitlines():
        if _SECTION.match(line):
            inside, indent = line.strip() == "Args:", -1
            continue
        entry = _ENTRY.match(line) if inside else None
        if entry is None:
            continue
        indent = len(entry[1]) if indent < 0 else indent
        if len(entry[1]) == indent:
            yield from entry[2].split(", ")
