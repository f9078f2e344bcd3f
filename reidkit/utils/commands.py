"""How to type a command again: as a tool of the repository, or as ``reidkit``."""

from __future__ import annotations

import sys
from pathlib import Path


def typed(command: str) -> str:
    """A command as the user of this process would type it.

    Args:
        command: of ``reidkit`` ("train").

    Example:
        >>> sys.argv, before = ["tools/train.py"], sys.argv
        >>> typed("test")
        'python tools/test.py'
        >>> sys.argv = ["/usr/bin/reidkit"]
        >>> typed("test")
        'reidkit test'
        >>> sys.argv = before
    """
    tool = Path(sys.argv[0])
    in_repository = tool.parent.name == "tools" and tool.suffix == ".py"
    return f"python tools/{command}.py" if in_repository else f"reidkit {command}"
