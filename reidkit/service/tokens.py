"""Bearer tokens: who may ask, by name."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.io import read_regular

VARIABLE = "REIDKIT_TOKENS"
FEWEST = 24  # characters: what nobody tries out
MOST_BYTES = 1 << 20
ADVICE = "python -c 'import secrets; print(secrets.token_urlsafe(32))' prints one"


@dataclass(frozen=True)
class Tokens:
    """Names with the SHA-256 of their tokens; the tokens themselves are not kept.

    Args:
        digests: by name.

    Example:
        >>> tokens = Tokens.parse("door 0123456789abcdef0123456789abcdef", "an example")
        >>> tokens.owner("Bearer 0123456789abcdef0123456789abcdef")
        'door'
        >>> tokens.owner("Bearer something else") is None
        True
    """

    digests: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.digests)

    def owner(self, header: str) -> str | None:
        """The name of the token in an ``Authorization`` header; None for none.

        Every token is compared, each in constant time.
        """
        scheme, _, token = header.partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        same = [name for name, own in self.digests.items() if hmac.compare_digest(own, digest)]
        return same[0] if same and scheme.lower() == "bearer" else None

    @staticmethod
    def parse(text: str, where: str) -> Tokens:
        """Tokens as a file holds them: a line each, ``NAME TOKEN``; lines with # are comments.

        Args:
            text: of the file.
            where: it comes from, for the message.

        Raises:
            UserError: a line of another form, a token that is short, a name that is there twice.
        """
        digests: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, *rest = line.split()
            if len(rest) != 1 or not re.fullmatch(r"[\w.-]{1,64}", name):
                raise UserError(f"{where}: line {number}: expected NAME TOKEN")
            if not re.fullmatch(rf"[!-~]{{{FEWEST},}}", rest[0]):
                raise UserError(
                    f"{where}: line {number}: the token of {name} needs at least {FEWEST} ASCII "
                    f"characters; {ADVICE}"
                )
            if name in digests:
                raise UserError(f"{where}: line {number}: {name} is there twice")
            digests[name] = hashlib.sha256(rest[0].encode()).digest()
        if not digests:
            raise UserError(f"{where}: no tokens; write lines of NAME TOKEN; {ADVICE}")
        return Tokens(digests)

    @staticmethod
    def find(file: str | Path | None) -> Tokens:
        """Tokens of a file, or those of the environment variable ``REIDKIT_TOKENS``; else none.

        Raises:
            UserError: they cannot be read.
        """
        if file is not None:
            try:
                content = read_regular(file, MOST_BYTES).decode()
            except (OSError, ValueError) as error:
                raise UserError(f"{file}: cannot be read ({error})") from None
            return Tokens.parse(content, str(file))
        text = os.environ.get(VARIABLE, "")
        return Tokens.parse(text, VARIABLE) if text.strip() else Tokens()
