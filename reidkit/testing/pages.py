"""Sections of documentation that a command measures and writes itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.commit import commit


def write_section(page: Path, name: str, text: str) -> None:
    """Put a text between the marks of a section, and leave the rest of the page alone.

    Args:
        page: a Markdown file with the lines ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.
        name: of the section.
        text: of the section.

    Raises:
        UserError: the page has no such marks.

    Example:
        >>> import tempfile
        >>> page = Path(tempfile.mkdtemp()) / "page.md"
        >>> _ = page.write_text("<!-- speed: begin -->\\nold\\n<!-- speed: end -->\\n")
        >>> write_section(page, "speed", "12 images/s")
        >>> print(page.read_text(), end="")
        <!-- speed: begin -->
        12 images/s
        <!-- speed: end -->
    """
    begin, end = (f"<!-- {name}: {mark} -->" for mark in ("begin", "end"))
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if not pattern.search(before):
        raise UserError(f"{page}: has no lines {begin} and {end} to write between")
    new = pattern.sub(lambda _: f"{begin}\n{text}\n{end}", before)
    page.write_text(new, encoding="utf-8")


def program_version() -> str:
    """Commit and Python that something was measured with, for a page."""
    return f"{commit()}, Python {sys.version.split()[0]}"
