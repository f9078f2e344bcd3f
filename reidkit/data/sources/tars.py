"""Webdataset tars: consecutive members of one name are a sample, their endings say what is in.

Read as a stream by the standard library's tarfile. Nothing is unpacked to disk, and of a sample
only the image, ``.json`` (``identity``, ``camera``, ``time``) and ``.cls`` (the identity) are read.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import IO, Any, Self

from reidkit.data.sources.listing import IMAGES
from reidkit.data.sources.records import MOST_BYTES, Record, record, too_large
from reidkit.errors import WRONG_CONTENT

DOTS = "a sample's name ends at its first dot, so this is no plain ending"
LABELS = (".json", ".cls")
EXTENDED = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
MOST_LABELS = (
    1 << 20
)  # bytes of one .json or .cls, and of a header of a kind that tarfile reads whole


class _Header(tarfile.TarInfo):
    """Headers of a tar, of which a missing or damaged one is an error, and not the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if isinstance(error, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise  # the end, as it is written
            raise tarfile.ReadError(f"it is cut off or damaged: {error}") from None

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in EXTENDED and header.size > MOST_LABELS:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def samples(file: IO[bytes], address: str) -> Iterator[Record]:
    """The images of a tar, with their labels.

    Args:
        file: the tar, plain or compressed by gzip.
        address: of the tar, before the names of its members.

    Raises:
        tarfile.TarError, OSError, EOFError: damage; what was read before it has been given.
    """
    key, parts = "", dict[str, Any]()
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=_Header) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # which would grow with the tar
            folder, slash, name = member.name.rpartition("/")
            stem, ending = name.partition(".")[0], _ending(member.name)
            known = ending.endswith(IMAGES + LABELS) and not name.startswith(".")
            if not known or not member.isreg():
                continue
            if parts and folder + slash + stem != key:
                yield from _sample(address, parts)
                parts = {}
            key = folder + slash + stem
            parts[member.name] = _content(tar, member, ending)
    yield from _sample(address, parts)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str) -> bytes | str:
    """The bytes of a member, or why they are not read."""
    if ending not in IMAGES + LABELS:
        return DOTS
    if member.size > (MOST_BYTES if ending in IMAGES else MOST_LABELS):
        return too_large(member.size)
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _sample(address: str, parts: dict[str, Any]) -> Iterator[Record]:
    """The images of one sample, usually one."""
    labels: dict[str, Any] = {}
    problem = ""
    for name, content in parts.items():
        try:
            if _ending(name) == ".json":
                labels.update(_object(content))
            elif _ending(name) == ".cls":
                labels.setdefault("identity", content.decode("utf-8"))
        except WRONG_CONTENT as error:
            problem = f"its labels {name.rpartition('/')[2]} cannot be read ({error})"
    images = {name: content for name, content in parts.items() if name.lower().endswith(IMAGES)}
    plain = [name for name in images if images[name] is not DOTS]
    for name in plain or images:
        own = record(f"{address}/{name}", images[name], labels)
        why = problem or (images[name] if isinstance(images[name], str) else "")
        yield Record(own.name, problem=why) if why else own


def _ending(name: str) -> str:
    return f".{name.rpartition('/')[2].partition('.')[2].lower()}"


def _object(content: bytes) -> dict[str, Any]:
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError("expected an object with identity, camera, time")
    return {name: values[name] for name in ("identity", "camera", "time") if name in values}
