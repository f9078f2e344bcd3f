"""Which reader reads a folder, told by what lies in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidkit.data.datasets.crop_table import SPLITS
from reidkit.data.datasets.files import folders_in, list_images
from reidkit.data.datasets.patterns import suggest_patterns
from reidkit.data.datasets.reader import Reader
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.registry import DATASETS, signature

LEVELS = 3  # down which data sets are looked for, to name them


# readers of somebody's own data, which say themselves what is missing
OWN = ("CocoTracks", "ImageFolder", "ImageTable", "MOTSequences", "Wildlife")
TABLES = {"metadata.csv": "Wildlife", "crops.csv": "ImageTable", "crops.parquet": "ImageTable"}


def find_reader(
    folder: Path, name: str | None = None, options: Mapping[str, Any] | None = None
) -> Reader:
    """The reader whose layout lies in a folder.

    Args:
        folder: the data set's own folder.
        name: of the reader; None tries all and takes the one that wants the most of what is there.
        options: of the reader; a pattern of file names alone means `ImageFolder`.

    Raises:
        UserError: no such folder, unknown reader, or no layout fits (with what each one wants).
    """
    folder = Path(os.path.realpath(folder))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    options = dict(options or {})
    if name is None:
        name = _own_data(folder, options)
    if name in OWN or (name and options):
        return build_reader(name, folder, options)
    readers = _readers(folder, name)
    begun = [r for r in readers if any((folder / entry).exists() for entry in _own(r))]
    if name is None and not begun and _is_image_folder(folder):
        return build_reader("ImageFolder", folder, options)
    if fitting := _fitting(folder, readers):
        return build_reader(type(fitting).__name__, folder, options) if options else fitting
    if not begun and (patterns := suggest_patterns(list_images(folder, recursive=True))):
        return build_reader("ImageFolder", folder, patterns | options)
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
        + "\n  ImageFolder: {train,query,gallery}/<identity>/*.jpg, or <identity>/*.jpg, or any "
        "folder with identity=PATTERN and camera=PATTERN of the file names"
    )


def _readers(folder: Path, name: str | None) -> list[Reader]:
    """The reader of this name, or all that need no options of their own."""
    names = [name] if name else [n for n in DATASETS.names() if n not in ("SynthPed", *OWN)]
    readers = []
    for one in names:
        try:
            readers.append(build_reader(one, folder, {}))
        except UserError:  # unknown, or needs options that a folder does not tell
            if name:
                raise
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
        inner = sorted(
            Path(e) for e in entries if os.path.isdir(e.path) and not e.name.startswith(".")
        )
    folders = []
    for path in inner:
        if _fitting(path, readers):
            folders.append(path)
        elif levels > 1:
            folders += _below(path, readers, levels - 1)
    return folders


def build_reader(name: str, folder: Path, options: Mapping[str, Any]) -> Reader:
    """A reader of a folder, with options as they were typed.

    Raises:
        UserError: no such reader, or an option that it does not take.
    """
    config: dict[str, Any] = dict(type=name, root=folder.name, data_root=str(folder.parent))
    try:
        known = signature(DATASETS.get(name))
        unknown = [option for option in options if option not in known]
        if unknown:
            listed = ", ".join(one for one in known if one not in ("data_root", "settings", "root"))
            raise UserError(f"{name} has no option {unknown[0]!r}; it has: {listed}")
        if "check_counts" in known:
            config["check_counts"] = "never"
        return DATASETS.build({**config, **options})
    except WRONG_CONTENT as error:
        raise UserError(str(error.args[0]) if error.args else repr(error)) from None


def _own_data(folder: Path, options: Mapping[str, Any]) -> str | None:
    """A reader of somebody's own data that the options, or a table or sequence, name."""
    if "table" in options:
        return "ImageTable"
    if "identity" in options:
        return "ImageFolder"
    for table, reader in TABLES.items():
        if (folder / table).is_file():
            return reader
    places = (folder, *(folder / inner for inner in folders_in(folder)))
    return "MOTSequences" if any((place / "gt/gt.txt").is_file() for place in places) else None


def _is_image_folder(folder: Path) -> bool:
    """Whether sub-folders, or those of the splits, hold images themselves."""
    roots = [folder / split for split in SPLITS if (folder / split).is_dir()] or [folder]
    people = (path for root in roots for path in root.iterdir() if path.is_dir())
    return any(list_images(path) for path in people)
