"""The log of a gallery: what was asked and answered, and what was erased, line after line.

Lines are only added. Each holds the SHA-256 of its event with a random salt, and the SHA-256 of
that and of the line before: who changes or removes a line breaks the chain. An erasure takes events
and salts out of the lines that name the person; the salted checksum stays, from which nothing can
be learned, so the chain still holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.gallery.locking import held
from reidkit.utils.io import atomic_write

FOLDER, FILE = "log", "events.jsonl"
WAIT = 30.0  # seconds for another process that writes a line
TAIL = 1 << 16
START = "0" * 64


class Log:
    """The log in the folder of a gallery; several processes may add lines.

    Args:
        gallery: folder of the gallery.
    """

    def __init__(self, gallery: Path):
        self.folder = gallery / FOLDER
        self.file = self.folder / FILE

    def add(self, events: Sequence[dict[str, Any]]) -> None:
        """Add one line per event and see them onto the disk.

        Raises:
            UserError: another process holds the log.
        """
        self.folder.mkdir(exist_ok=True)
        with held(self.folder, WAIT, "another line of the log"):
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            with open(os.open(self.file, flags, 0o666), "r+b") as file:
                number, chain = _end(file, self.file)
                for event in events:
                    number += 1
                    line = _line(number, chain, event)
                    chain = line["chain"]
                    file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line, from the first on; one that is being written is not among them.

        Raises:
            UserError: a line that cannot be read.
        """
        if not self.file.is_file():
            return
        with open(self.file, "rb") as file:
            for number, text in enumerate(file, 1):
                if not text.endswith(b"\n"):
                    return
                try:
                    line = json.loads(text)
                    kept = [line["n"], line["commitment"], line["chain"]]
                    if not isinstance(line.get("event", {}), dict) or kept[0] != number:
                        raise ValueError("not a line of a log, or not in its place")
                except WRONG_CONTENT as error:
                    raise UserError(f"{self.file}: line {number}: {error}") from None
                yield line

    def verify(self) -> int:
        """Compare every line with its checksum and the chain; returns their number.

        Raises:
            UserError: the first line that was changed, or whose predecessor is missing.
        """
        chain, number = START, 0
        for line in self.lines():
            number = line["n"]
            whole = "event" not in line or line["commitment"] == _commitment(
                line.get("salt", ""), line["event"]
            )
            chain = _chained(chain, line["commitment"])
            if not whole or line["chain"] != chain:
                raise UserError(f"{self.file}: line {number} was changed, or one before it removed")
        return number

    def redact(self, names: Collection[str]) -> int:
        """Take the events that name one of these identities, in whatever text, out of their lines.

        Returns:
            The number of lines.
        """
        if not self.file.is_file():
            return 0
        with held(self.folder, WAIT, "an erasure"):
            lines, count = [], 0
            listed = "|".join(map(re.escape, sorted(names)))
            named = re.compile(rf"(?<!\w)(?:{listed})(?!\w)") if names else None
            for line in self.lines():
                if named and any(map(named.search, _texts(line.get("event")))):
                    kept = ("n", "commitment", "chain")
                    line, count = dict({k: line[k] for k in kept}, erased=True), count + 1
                lines.append(json.dumps(line))
            if count:
                with atomic_write(self.file, "w") as file:
                    file.write("".join(f"{line}\n" for line in lines))
        return count


def _end(file: Any, path: Path) -> tuple[int, str]:
    """Number and chain of the last whole line; what a kill left of another is cut off."""
    size = file.seek(0, os.SEEK_END)
    start = size
    tail = b""
    while start and tail.count(b"\n") < 2:
        start = max(0, start - TAIL)
        file.seek(start)
        tail = file.read(size - start)
    whole = tail.rpartition(b"\n")[0]
    file.truncate(start + len(whole) + bool(whole))
    file.seek(0, os.SEEK_END)
    if not whole:
        return 0, START
    try:
        last = json.loads(whole.rpartition(b"\n")[2])
        return int(last["n"]), str(last["chain"])
    except WRONG_CONTENT as error:
        raise UserError(f"{path}: its last line cannot be read ({error})") from None


def _line(number: int, chain: str, event: dict[str, Any]) -> dict[str, Any]:
    salt = secrets.token_hex(16)
    commitment = _commitment(salt, event)
    return dict(
        n=number, commitment=commitment, chain=_chained(chain, commitment), salt=salt, event=event
    )


def _commitment(salt: str, event: dict[str, Any]) -> str:
    return hashlib.sha256(f"{salt}{json.dumps(event, sort_keys=True)}".encode()).hexdigest()


def _chained(chain: str, commitment: str) -> str:
    return hashlib.sha256(f"{chain}{commitment}".encode()).hexdigest()


def _texts(value: Any) -> Iterator[str]:
    """Every text in an event, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
