"""A new plugin: the folder ``template`` beside this file, copied and renamed.

The template is a whole project whose plugin ``mypaper`` works: a head, a loss, a config and its
recipe, tests and a CI file. Its lines are there to be replaced by the paper's.
"""

from __future__ import annotations

import re
from pathlib import Path

from reidkit.errors import UserError
from reidkit.plugin.errors import display_path
from reidkit.plugin.manifest import RESERVED
from reidkit.utils.io import atomic_folder

TEMPLATE = Path(__file__).parent / "template"
NAME = "mypaper"  # in the template; capitalised in names of classes
# in the template's files, to be replaced by the method's own words; a check notes what is left
PLACEHOLDERS = (
    "what the method does, in one sentence",
    "What the method claims, in two sentences",
    'title: ""',
)


def write_package(name: str, folder: Path) -> Path:
    """Write ``folder/name``: manifest, head, loss, config, recipe, README; the plugin alone.

    Args:
        name: of the plugin: lower-case letters, digits and underscores, a letter first.
        folder: must be one that is searched for plugins, or be named in REIDKIT_PLUGIN_PATH.

    Returns:
        The folder written.

    Raises:
        UserError: a name that does not fit, or a folder that exists already.
    """
    return _write(name, folder, TEMPLATE / NAME)


def write_project(name: str, folder: Path) -> Path:
    """Write ``folder/name``: a project to put under version control, with the plugin inside.

    Around the package, which lies in ``folder/name/name``: tests, a CI file, and what makes it
    installable as ``reidkit-<name>``.

    Args:
        name: as for ``write_package``.
        folder: where the project's folder is written.

    Returns:
        The folder written.

    Raises:
        UserError: as ``write_package``.
    """
    return _write(name, folder, TEMPLATE)


def template_text(folder: Path) -> list[str]:
    """Where a plugin still says what the template said, one line each.

    Args:
        folder: of the plugin.
    """
    files = [*sorted(folder.glob("*.py")), folder / "plugin.yaml", folder / "README.md"]
    texts = {path.name: path.read_text("utf-8") for path in files if path.is_file()}
    return [
        f"{file}: {words}"
        for file, text in texts.items()
        for words in PLACEHOLDERS
        if words in text
    ]


def renamed(text: str, name: str) -> str:
    """The template's text with another name of the plugin.

    Example:
        >>> renamed("mypaper/MypaperHead", "part_net")
        'part_net/PartNetHead'
    """
    camel = "".join(part.capitalize() for part in name.split("_"))
    return text.replace(NAME, name).replace(NAME.capitalize(), camel)


def _write(name: str, folder: Path, source: Path) -> Path:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"{name!r} cannot name a plugin: lower-case letters, digits and underscores, a letter "
            "first"
        )
    if name in RESERVED:
        raise UserError(f"{name!r} cannot name a plugin: {RESERVED[name]}")
    target = folder / name
    if target.exists():
        raise UserError(f"{display_path(target)} exists already; choose another name or remove it")
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    with atomic_folder(target) as beside:
        for file in files:
            if file.suffix == ".pyc":
                continue
            path = beside / renamed(file.relative_to(source).as_posix(), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(renamed(file.read_text("utf-8"), name), encoding="utf-8")
    return target
