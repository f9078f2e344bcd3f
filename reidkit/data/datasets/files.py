"""Which files below a folder are images, and which are left out and why; lists of file names."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.io import read_regular

# decoded by every OpenCV and PIL
COMMON = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
# decoded where PIL was built with the library, or has a plugin
RARER = (".jp2", ".j2k", ".jpx", ".avif", ".heic", ".heif", ".jxl", ".tga", ".qoi")
# pictures that nothing here reads
FOREIGN = (".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".psd", ".svg", ".exr")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
# folders that systems put beside everything
SYSTEM = ("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found")
NAMED = 3  # folders named in a note


@functools.cache
def image_suffixes() -> tuple[str, ...]:
    """Endings of the files that OpenCV or PIL decode here, in lower case."""
    from PIL import Image

    Image.init()
    rarer = (suffix for suffix in RARER if Image.EXTENSION.get(suffix) in Image.OPEN)
    return (*COMMON, *rarer)


def is_image(name: str) -> bool:
    """Whether a file of this name is read as an image.

    Example:
        >>> is_image("a/b.JPG"), is_image("notes.txt")
        (True, False)
    """
    lower = name.lower()
    return lower.endswith(COMMON) or (lower.endswith(RARER) and lower.endswith(image_suffixes()))


@dataclass
class Listing:
    """The images below a folder, and what else lies there.

    Attributes:
        names: sorted relative paths with forward slashes.
        others: ending in lower case ("" for none) -> number of files that are no images.
        folders: relative paths of folders that were not entered, with the reason.
    """

    names: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    folders: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What was left out and why, in at most two lines; none if nothing was."""
        lines = []
        if self.others:
            counts = sorted(self.others.items(), key=lambda one: (-one[1], one[0]))
            kinds = ", ".join(
                f"{n} {suffix or 'without ending'} ({_reason(suffix)})" for suffix, n in counts
            )
            lines.append(f"left out, files: {kinds}")
        if self.folders:
            listed = [f"{path} ({why})" for path, why in sorted(self.folders.items())]
            more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
            lines.append(f"left out, folders: {', '.join(listed[:NAMED])}{more}")
        return lines


def _reason(suffix: str) -> str:
    if suffix in VIDEOS:
        return "a video: `reidkit crops` cuts crops out of it"
    if suffix in RARER or suffix in FOREIGN:
        return "this OpenCV and PIL do not decode it: convert it to JPEG or PNG"
    return "no image"


def list_images(folder: Path, recursive: bool = False) -> list[str]:
    """Image files below ``folder``: the ``names`` of ``list_folder``."""
    return list_folder(folder, recursive).names


def list_folder(folder: Path, recursive: bool = False) -> Listing:
    """Image files below ``folder``, and what is left out.

    Hidden files (".", macOS "._"), Thumbs.db, and folders that systems put there (hidden ones,
    ``__MACOSX``, ``@eaDir``) are left out, as are links to a folder that holds the link. Other
    links are followed.

    Args:
        folder: where to look.
        recursive: also in sub-folders.

    Raises:
        UserError: a folder that cannot be listed.
    """
    listing = Listing()
    pending: list[tuple[str, tuple]] = [("", (_place(folder),))]
    while pending:
        prefix, above = pending.pop()
        for entry in _entries(folder / prefix):
            name = prefix + entry.name
            if _is_folder(entry):
                if recursive and (place := _enter(listing, entry, name, above)):
                    pending.append((f"{name}/", (*above, place)))
            elif entry.name.startswith(".") or entry.name.lower() == "thumbs.db":
                continue
            elif is_image(entry.name):
                listing.names.append(name)
            else:
                listing.others[os.path.splitext(entry.name)[1].lower()] += 1
    listing.names.sort()
    return listing


def _enter(listing: Listing, entry: os.DirEntry, name: str, above: tuple) -> tuple | None:
    """The place of a folder to look into, or None after a note."""
    if entry.name.lower() in SYSTEM:
        listing.folders[name] = "a system put it there"
    elif entry.name.startswith("."):
        listing.folders[name] = "hidden"
    else:
        place = _place(Path(entry.path))
        if place not in above:
            return place
        listing.folders[name] = "a link to a folder that holds it"
    return None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _place(folder: Path) -> tuple:
    """What is the same for a folder and for a link to it."""
    try:
        status = folder.stat()
    except OSError as error:
        raise _unlisted(folder, error) from None
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise _unlisted(folder, error) from None


def _unlisted(folder: Path, error: OSError) -> UserError:
    reason = error.strerror or type(error).__name__
    return UserError(f"{folder.as_posix()}: cannot be listed ({reason})")


def folders_in(folder: Path) -> list[str]:
    """Names of the sub-folders that nobody's system put there, sorted.

    Raises:
        UserError: a folder that cannot be listed.
    """
    return sorted(
        entry.name
        for entry in _entries(folder)
        if entry.name[0] != "." and entry.name.lower() not in SYSTEM and _is_folder(entry)
    )


def read_lines(file: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, without surrounding space, and their numbers.

    A byte order mark and the line ends of other systems are taken off.

    Raises:
        UserError: unreadable, or no text.
    """
    try:
        text = read_regular(file).decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{file.as_posix()}: cannot be read ({reason})") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(
            f"{file.as_posix()}: no list of names, it is not text in UTF-8; unpack the archive "
            "again"
        )
    lines = ((n, line.strip()) for n, line in enumerate(re.split(r"\r\n|\n|\r", text), 1))
    return [(number, line) for number, line in lines if line]
