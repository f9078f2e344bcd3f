"""Which reader reads a folder, told by what lies in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reidkit.data.datasets.crop_table import SPLITS
from reidkit.data.datasets.files import list_images
from reidkit.data.datasets.reader import Reader
from reidkit.errors import UserError
from reidkit.registry import DATASETS, signature

LEVELS = 3  # down which data sets are looked for, to name them


def find_reader(folder: Path, name: str | None = None) -> Reader:
    """The reader whose layout lies in a folder.

    Args:
        folder: the data set's own folder.
        name: of the reader; None tries all and takes the one that wants the most of what is there.

    Raises:
        UserError: no such folder, unknown reader, or no layout fits (with what each one wants).
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if name == "ImageFolder":
        return _build(name, folder)
    readers = _readers(folder, name)
    begun = [r for r in readers if any((folder / entry).exists() for entry in _own(r))]
    if name is None and not begun and _is_image_folder(folder):
        return _build("ImageFolder", folder)
    if fitting := _fitting(folder, readers):
        return fitting
    if inner := _below(folder, readers, LEVELS):
        raise UserError(
            f"{folder} is no data set itself, but holds some; name one of: "
            + ", ".join(str(path) for path in inner)
        )
    held = ", ".join(sorted(path.name for path in folder.iterdir())[:12])
    closest = ""
    if begun:
        reader = _best(folder, begun)
        missing = ", ".join(_missing(folder, reader))
        closest = f"\nclosest: {type(reader).__name__}, without {missing}"
    wanted = [f"  {type(reader).__name__}: {', '.join(reader.needed)}" for reader in readers]
    raise UserError(
        f"{folder}: no known layout; it holds {held}{closest}"
        "\nlayouts:\n"
        + "\n".join(wanted)
        + "\n  ImageFolder: {train,query,gallery}/<identity>/*.jpg, or <identity>/*.jpg"
    )


def _readers(folder: Path, name: str | None) -> list[Reader]:
    """The reader of this name, or all that need no options of their own."""
    names = (
        [name] if name else [n for n in DATASETS.names() if n not in ("SynthPed", "ImageFolder")]
    )
    readers = []
    for one in names:
        try:
            readers.append(_build(one, folder))
        except KeyError as error:
            raise UserError(str(error.args[0])) from None
        except TypeError as error:  # needs options that a folder does not tell
            if name:
                raise UserError(str(error.args[0])) from None
    return readers


def _fitting(folder: Path, readers: list[Reader]) -> Reader | None:
    """Of the readers whose files are there, the best one, if any."""
    fitting = [reader for reader in readers if not _missing(folder, reader)]
    return _best(folder, fitting) if fitting else None


def _best(folder: Path, readers: list[Reader]) -> Reader:
    """The reader that lacks the least and wants the most; many share Market-1501's layout."""

    def fit(reader: Reader) -> tuple:
        named = reader.name == folder.name, type(reader).__name__ == "Market1501"
        return -len(_missing(folder, reader)), len(reader.needed), *named

    return max(readers, key=fit)


def _missing(folder: Path, reader: Reader) -> list[str]:
    return [entry for entry in reader.needed if not (folder / entry).exists()]


def _own(reader: Reader) -> set[str]:
    """What a layout wants beside folders that every `ImageFolder` may have, too."""
    return set(reader.needed) - {f"{split}/" for split in SPLITS}


def _below(folder: Path, readers: list[Reader], levels: int) -> list[Path]:
    """Folders of data sets, as many levels down."""
    with os.scandir(folder) as entries:
        inner = sorted(Path(e) for e in entries if e.is_dir() and not e.name.startswith("."))
    folders = []
    for path in inner:
        if _fitting(path, readers):
            folders.append(path)
        elif levels > 1:
            folders += _below(path, readers, levels - 1)
    return folders


def _build(name: str, folder: Path) -> Reader:
    options: dict[str, Any] = dict(type=name, root=folder.name, data_root=str(folder.parent))
    if "check_counts" in signature(DATASETS.get(name)):
        options["check_counts"] = "never"
    return DATASETS.build(options)


def _is_image_folder(folder: Path) -> bool:
    """Whether sub-folders, or those of the splits, hold images themselves."""
    roots = [folder / split for split in SPLITS if (folder / split).is_dir()] or [folder]
    people = (path for root in roots for path in root.iterdir() if path.is_dir())
    return any(list_images(path) for path in people)
