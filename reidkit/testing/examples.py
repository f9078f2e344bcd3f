"""The examples in docstrings, run; what fails is told in three lines."""

from __future__ import annotations

import doctest
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def run_examples(module: ModuleType) -> tuple[int, list[str]]:
    """Run every example in the docstrings of a module.

    Args:
        module: imported; only what it defines itself is looked at.

    Returns:
        The number of examples, and for each that fails its place, what it should give and what it
        gave.
    """
    runner = _Runner()
    for test in doctest.DocTestFinder().find(module, module.__name__):
        runner.run(test)
    return runner.tries, runner.failed


class _Runner(doctest.DocTestRunner):
    """Collects failures instead of printing them."""

    def __init__(self) -> None:
        super().__init__(verbose=False, optionflags=FLAGS)
        self.failed: list[str] = []

    def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        """Keep what was expected and what came."""
        line = (test.lineno or 0) + example.lineno + 1
        place = f"{Path(test.filename or test.name).name}, line {line}"
        self.failed.append(
            f"{place}: {_short(example.source)}\n"
            f"  expected: {_short(example.want)}\n"
            f"  got: {_short(got)}"
        )

    def report_unexpected_exception(
        self, out: Any, test: Any, example: doctest.Example, exc_info: Any
    ) -> None:
        """Keep the exception's own line in place of what came."""
        text = traceback.format_exception_only(exc_info[0], exc_info[1])[-1]
        self.report_failure(out, test, example, text)


def _short(text: str) -> str:
    """Text on one line of at most 120 characters; "nothing" where there is none."""
    line = " ".join(text.split()) or "nothing"
    return line if len(line) <= 120 else line[:117] + "..."
