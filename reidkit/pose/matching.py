"""Which entry of a file of labels belongs to which crop: by path, never by chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from reidkit.errors import UserError


def _plain(name: str) -> str:
    """A path with forward slashes, without ``./`` and doubled slashes before or in it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts)


def match_names(
    wanted: Sequence[str], given: Sequence[str], among: Iterable[str] = (), source: str = "labels"
) -> list[int | None]:
    """The entry of each crop; None for a crop that has none.

    Where an entry bears the very path of a crop, relative to the data set, it is that crop's.
    Other entries are matched by the end of the path (an absolute path, or one that starts further
    down), and at last by the base name, but only where it is the only one on both sides.

    Args:
        wanted: paths of the crops.
        given: names of the entries, each of them different.
        among: paths of all crops of the data set, beyond those wanted: a base name that two of
            them share decides nothing.
        source: of the entries, for messages.

    Returns:
        One place in ``given`` for each of ``wanted``.

    Raises:
        UserError: two entries of one name; a crop that several entries, or an entry that several
            crops could belong to.

    Example:
        >>> match_names(["train/1/a.jpg", "train/2/a.jpg"], ["2\\\\a.jpg", "/data/train/1/a.jpg"])
        [1, 0]
        >>> match_names(["1/a.jpg", "2/a.jpg", "2/b.jpg"], ["2/a.jpg", "b.jpg"])
        [None, 0, 1]
        >>> match_names(["1/a.jpg", "2/a.jpg"], ["a.jpg"], source="kp.json")
        Traceback (most recent call last):
        reidkit.errors.UserError: kp.json: 'a.jpg' could be '1/a.jpg' or '2/a.jpg'; name the ...
    """
    paths = [_plain(path) for path in wanted]
    everyone = {*paths, *(_plain(path) for path in among)}
    place: dict[str, int] = {}
    for number, name in enumerate(map(_plain, given)):
        if place.setdefault(name, number) != number:
            raise UserError(f"{source}: {name!r} stands there twice; keep one of them")
    left = [name for name in place if name not in everyone]
    crops, entries = _by_base(everyone - place.keys()), _by_base(left)
    rows: list[int | None] = []
    for path in paths:
        entry = path if path in place else _only(path, crops, entries, source)
        rows.append(None if entry is None else place[entry])
    return rows


def _by_base(paths: Iterable[str]) -> dict[str, list[str]]:
    named = defaultdict(list)
    for path in paths:
        named[path.rpartition("/")[2]].append(path)
    return named


def _only(
    path: str, crops: dict[str, list[str]], entries: dict[str, list[str]], source: str
) -> str | None:
    """The one entry of the crop's base name that can only be this crop's."""
    base = path.rpartition("/")[2]
    # an entry whose path ends as those of some crops do is one of theirs; else of any
    owners = {name: _ends(name, crops[base]) for name in entries.get(base, ())}
    fit = [name for name, crops_of in owners.items() if path in crops_of]
    fit = fit or [name for name, crops_of in owners.items() if not crops_of]
    if not fit:
        return None
    if len(fit) > 1:
        raise UserError(f"{source}: {path!r} could be {_two(fit)}; {_ADVICE}")
    candidates = owners[fit[0]] or crops[base]
    if len(candidates) > 1:
        raise UserError(f"{source}: {fit[0]!r} could be {_two(candidates)}; {_ADVICE}")
    return fit[0]


def _ends(name: str, paths: list[str]) -> list[str]:
    """Paths that end with the name, or that the name ends with."""
    return [
        path for path in paths if f"/{path}".endswith(f"/{name}") or f"/{name}".endswith(f"/{path}")
    ]


_ADVICE = "name the entries by the crops' paths in the data set"


def _two(names: list[str]) -> str:
    first, second = sorted(names)[:2]
    more = f" or {len(names) - 2} more" if len(names) > 2 else ""
    return f"{first!r} or {second!r}{more}"


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, in order.

    Example:
        >>> repeated(["b", "a", "b", "c"])
        ['b']
    """
    return [name for name, count in Counter(names).items() if count > 1]
