"""A page whose commands are run: what it shows is what they print.

In a block ``console``, lines that start with ``$`` are commands, the lines below them their output.
A block below a comment ``<!-- file: PATH -->`` is the content of that file. All commands of a page
run in order, in one shell, in an empty folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import reidkit

ROOT = Path(reidkit.__file__).resolve().parents[1]
HOME = "/home/you/try"  # what the empty folder is called on the page
_FILE = re.compile(r"<!-- file: (\S+) -->")
_PROGRESS = re.compile(r"^.*?: (\d+)/(\d+) ")


def replay(page: str) -> str:
    """The page with the output of its commands as it is now.

    Args:
        page: Markdown.

    Example:
        >>> print(replay("```console\\n$ echo one two\\nold\\n```"))
        ```console
        $ echo one two
        one two
        ```
    """
    with tempfile.TemporaryDirectory() as folder, _Shell(Path(folder)) as shell:
        return "\n".join(_lines(page.split("\n"), shell))


def masked(page: str) -> str:
    """The page without what differs by run and machine: numbers, precision, width of columns.

    Numbers lose their sign and exponent, too, and the rule of a table, as wide as they are, its
    length: both may hang on the last bits of a processor.
    """
    page = re.sub(r"\b(fp32|bf16)\b", "precision", page)
    page = re.sub(r" \(\d+:\d\d:\d\d\)", "", page)  # pytest adds these from a minute on
    page = re.sub(r"(?<![\w.])-?\d+([.:,]\d+)*(e[-+]?\d+)?", "#", page)
    page = re.sub(r"\d+([.:,]\d+)*", "#", page)  # within words, such as R1
    page = re.sub(r"([-─=_])\1{2,}", r"\1\1\1", page)
    return re.sub(r" +", " ", page).replace(" #", "#")


def _lines(lines: list[str], shell: _Shell) -> Iterator[str]:
    """The lines of the page, output replaced, while its commands run and its files are written."""
    inside, file = "", ""
    content: list[str] = []
    for line in lines:
        if not inside:
            yield line
            named = _FILE.fullmatch(line.strip())
            file = named[1] if named else file
            if line.startswith("```"):
                inside, content = ("console" if line == "```console" else "file"), []
        elif line.startswith("```"):
            if inside == "file" and file:
                path = shell.folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(content) + "\n", encoding="utf-8")
                file = ""
            inside = ""
            yield line
        elif inside == "file":
            content.append(line)
            yield line
        elif line.startswith("$ "):
            yield line
            yield from shell.run(line[2:])


class _Shell:
    """One bash in an empty folder, in which ``reidkit`` is this reidkit."""

    def __init__(self, folder: Path):
        self.folder = folder / "try"
        self.folder.mkdir()
        commands = folder / "bin"
        commands.mkdir()
        script = commands / "reidkit"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reidkit.cli.main "$@"\n')
        script.chmod(0o755)
        # not installed but run from its repository
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {k: v for k, v in os.environ.items() if not k.startswith("REIDKIT")}
        env |= dict(PYTHONPATH=os.pathsep.join(paths), COLUMNS="100", PYTHONWARNINGS="ignore")
        tools = [str(commands), str(Path(sys.executable).parent), env.get("PATH", "")]
        env["PATH"] = os.pathsep.join(tools)
        self.process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=env,
        )

    def run(self, command: str) -> list[str]:
        """The lines that a command prints."""
        assert self.process.stdin and self.process.stdout
        mark = uuid.uuid4().hex
        self.process.stdin.write(f"{{ {command}\n}} </dev/null\necho; echo {mark}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.strip() == mark:
                break
            lines.append(self._shown(line))
        while lines and not lines[-1]:
            lines.pop()
        return [line for line in lines if not _is_halfway(line)]

    def _shown(self, line: str) -> str:
        text = line.rstrip().rpartition("\r")[2]
        return text.replace(str(self.folder), HOME).replace(str(ROOT), "<reidkit>")

    def __enter__(self) -> _Shell:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


def _is_halfway(line: str) -> bool:
    """A progress bar that has not come to its end: how many there are depends on the speed."""
    match = _PROGRESS.match(line)
    return match is not None and int(match[1]) < int(match[2]) and not line.startswith("epoch")
