"""Whether the images of a split can be read: looked at before hours of training rest on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import simplejpeg

from reidkit.data.decode import decode_rgb, read_bytes, refuse_large
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.utils.io import open_regular

MOST = 30_000  # files looked at by default: more than any common test set but MSMT17's
HEAD = 1 << 16  # bytes that hold the header of nearly every file
NAMED = 5  # files named in a message
_JPEG_END, _PNG_START, _PNG_END = b"\xff\xd9", b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def check_readable(split: Split, most: int = MOST) -> int:
    """Look at the images of a split, so that a damaged one is known before anything is trained.

    Of JPEG and PNG files the header and the end are read, and the whole file where one of them is
    odd; files of other formats are decoded. Files at an address with "://" are passed over. The
    doctor decodes every file.

    Args:
        split: crops, or tracklets, whose frames are looked at.
        most: files looked at; of more than these, that many, evenly spread.

    Returns:
        The number of files looked at.

    Raises:
        UserError: files that are missing, empty, cut off or no images: how many, and the first
            ones with the reason.

    Example:
        >>> split = Split("toy", "query", Path("nowhere"), ("a.jpg",), [1], [1])
        >>> check_readable(split)
        Traceback (most recent call last):
        reidkit.errors.UserError: toy/query: 1 of 1 images cannot be read, seen before ...
    """
    paths = sorted(set(getattr(split, "frame_paths", ()) or split.paths))
    local = [path for path in paths if "://" not in path]
    if len(local) > most:
        local = [local[i] for i in np.linspace(0, len(local) - 1, most).astype(int)]
    problems = []
    for path in local:
        try:
            _look_at(split.root / path)
        except UserError as error:
            problems.append(str(error))
    if problems:
        more = f"\n  and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise UserError(
            f"{split.dataset}/{split.name}: {len(problems)} of {len(local)} images cannot be "
            "read, seen before anything was started\n  " + "\n  ".join(problems[:NAMED]) + more
        )
    return len(local)


def _look_at(path: Path) -> None:
    """Raise ``UserError`` for a file that cannot be decoded, at the price of its header."""
    address = path.as_posix()
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_PNG_END)))
            end = file.read()
    except OSError:
        read_bytes(address)  # fails in words
        return
    if _whole(head, end, address):
        return
    decode_rgb(read_bytes(address), address)


def _whole(head: bytes, end: bytes, address: str) -> bool:
    """Whether the header is understood and the end is where it should be."""
    if head[:2] == b"\xff\xd8" and end.endswith(_JPEG_END):
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(head)
        except ValueError:  # the header is longer, or damaged
            return False
        refuse_large(height * width, address)
        return True
    if head[:8] == _PNG_START and head[12:16] == b"IHDR" and end == _PNG_END:
        refuse_large(int.from_bytes(head[16:20]) * int.from_bytes(head[20:24]), address)
        return True
    return False
