"""The parts of an experiment that are chosen by name: ``recipe=paper``, ``data=a_to_b``.

A recipe is a file. Data is composed: each set has a file, ``configs/_base_/data/<set>.py``, which
says how it is trained and tested on alone, and ``a_to_b`` joins two of them, source and target.
``_val`` at the end tests on held-out training identities in place of the sets' own tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reidkit.config.files import Layer, configs_folder, is_default, is_file, join, read_layers
from reidkit.config.merge import merge
from reidkit.config.override import Override
from reidkit.config.problems import suggest
from reidkit.errors import UserError
from reidkit.plugin.errors import display_path

EXTRAS = ("as_target", "styled")  # of a data file, for composition alone; see docs/data.md
VALIDATION = "_val"
TESTED = ("source", "target")
HELD_OUT = (*TESTED, "source_styled")  # domains that show the identities of a set that is tested


def choose(
    groups: Mapping[str, str], overrides: Sequence[Override]
) -> tuple[dict[str, str], list[Override]]:
    """The groups' values with those of the command line, and the overrides that choose none.

    ``data.source=...`` and ``data.target=...`` change one side of the data; several sets in
    brackets are joined. ``pose=...`` is short for ``data.labeller.config=...``.

    Example:
        >>> groups = dict(data="synthped", recipe="quick")
        >>> chosen, _ = choose(groups, [Override("set", "data.source", "[market1501,msmt17]"),
        ...                             Override("set", "data.target", "viper")])
        >>> chosen["data"]
        'market1501+msmt17_to_viper'
    """
    chosen, rest = dict(groups), []
    for override in overrides:
        if override.key == "pose" and override.action == "set":
            override = replace(override, key="data.labeller.config")
        name = override.key.removeprefix("groups.")
        side = override.key if override.key in ("data.source", "data.target") else ""
        if override.action != "set" or isinstance(override.value, dict):
            rest.append(override)
        elif side:
            chosen["data"] = _with_side(chosen["data"], side, override.value)
        elif name in chosen:
            chosen[name] = _sets(override.value)
        else:
            rest.append(override)
    return chosen, rest


def groups_of(tree: Mapping[str, Any], file: Path) -> dict[str, str]:
    """The groups' values as config files say them.

    Args:
        tree: keys of all of them.
        file: the config, for the message.

    Raises:
        UserError: no dict of names.
    """
    groups = tree.get("groups", {})
    if not isinstance(groups, dict) or not all(isinstance(one, str) for one in groups.values()):
        hint = 'groups=dict(data="synthped", recipe="quick")'
        raise UserError(
            f"{display_path(file)}: groups: expected names as in {hint}; got {groups!r:.80}"
        )
    return groups


def _with_side(data: str, side: str, value: Any) -> str:
    source, _, target = data.partition("_to_")
    source, target = (_sets(value), target) if side == "data.source" else (source, _sets(value))
    return f"{source}_to_{target}" if target else source


def _sets(value: Any) -> str:
    """Names of data sets as written on the command line, several joined by +."""
    names = value if isinstance(value, (list, tuple)) else str(value).strip("[] ").split(",")
    return "+".join(str(name).strip() for name in names)


def folders(near: Path, group: str) -> list[Path]:
    """Where files of a group are looked for, for a config file."""
    shipped = configs_folder()
    around = [near.parent / group, near.parent.parent / "_base_" / group]
    return around + ([shipped.resolve() / "_base_" / group] if shipped is not None else [])


def group_layers(near: Path, group: str, value: str, others: Sequence[str] = ()) -> list[Layer]:
    """The keys that a group's value sets, lowest first.

    Args:
        near: the config file; files beside it come before the shipped ones.
        group: "recipe", "data".
        value: "paper", "market1501", "market1501+msmt17_to_viper".
        others: values that exist otherwise, for the message.

    Raises:
        UserError: no such value, with the nearest one and all there are.
    """
    path = _file(near, group, value)
    if path is not None:
        layers = [one for one in read_layers(path) if not is_default(one.path)]
        return _as_data(layers, value) if group == "data" else layers
    if group == "data" and value.endswith(VALIDATION):
        return _validation(near, value)
    if group == "data" and ("_to_" in value or "+" in value):
        return [Layer(folders(near, group)[-1], composed(near, value), value)]
    known = group_values(near, group)
    also = "; <a>_to_<b> joins two of them" if group == "data" else ""
    place = f"\n  looked for as {folders(near, group)[0] / value}.py"
    raise UserError(
        f"{group}={value}: no such {group}; {suggest(value, known | {*others})}{also}{place}"
    )


def _file(near: Path, group: str, value: str) -> Path | None:
    places = (folder / f"{value}.py" for folder in folders(near, group))
    return next((place for place in places if is_file(place)), None)


def group_values(near: Path, group: str) -> set[str]:
    """Names of a group's files, for a config file."""
    return {path.stem for folder in folders(near, group) for path in folder.glob("[!_]*.py")}


def _as_data(layers: Sequence[Layer], value: str) -> list[Layer]:
    """Layers of a data file without what is for composition alone; the set's name is the file's."""
    kept = [
        Layer(one.path, {k: v for k, v in one.keys.items() if k not in EXTRAS}) for one in layers
    ]
    named = Layer(layers[-1].path, dict(data=dict(name=value)))
    return [named, *kept]


def _validation(near: Path, value: str) -> list[Layer]:
    """The layers of the data before ``_val``, with training identities held out for the tests."""
    whole = value.removesuffix(VALIDATION)
    if "_to_" in whole or "+" in whole:
        layers = [Layer(folders(near, "data")[-1], composed(near, whole, True), whole)]
    else:
        layers = group_layers(near, "data", whole)
    domains = join(layers)["data"]["domains"]
    held = {
        name: dict(type="HeldOutIdentities", set=domains[name])
        for name in HELD_OUT
        if name in domains
    }
    data = dict(name=value, domains=held, tests=[name for name in TESTED if name in held])
    return [*layers, Layer(layers[-1].path, dict(data=data), f"({VALIDATION})")]


def composed(near: Path, value: str, held_out: bool = False) -> dict[str, Any]:
    """The data keys of sets that are joined (a+b), or of a source and a target (a_to_b).

    Source, part labels and styles are the source's; the target is the other set's source, with what
    its file says in ``as_target``, which is how its own test goes: not with ``held_out``. Both are
    tested, but for sets without test images.
    """
    source, _, target = value.partition("_to_")
    names = source.split("+")
    given = [_set(near, name) for name in names]
    domains = given[0]["data"]["domains"]
    own = {name: domains[name] for name in ("parts",) if name in domains}
    if len(names) == 1:
        own |= {name: domains[name] for name in ("parts_styled",) if name in domains}
    data: dict[str, Any] = dict(
        name=value,
        domains=dict(source=_joined([one["data"]["domains"]["source"] for one in given]), **own),
        tests=["source"] if all("source" in one["data"]["tests"] for one in given) else [],
    )
    rest = given
    if target:
        others = [_set(near, name) for name in target.split("+")]
        rest = [*given, *others]
        data["domains"]["target"] = _joined(
            [one["data"]["domains"]["source"] if held_out else _target(one) for one in others]
        )
        data["tests"] = [*data["tests"], "target"]
        styled = given[0].get("styled", {}).get(target) if len(names) == 1 else None
        if styled:
            data["domains"]["source_styled"] = styled
    labellers = [one["data"]["labeller"] for one in rest if "labeller" in one["data"]]
    data |= dict(labeller=labellers[0]) if labellers else {}
    keys: dict[str, Any] = {}
    for one in reversed(rest):  # the source's frames and protocol win
        skipped = ("data", *EXTRAS) if one in given else ("data", "evaluation", *EXTRAS)
        keys = merge(keys, {key: item for key, item in one.items() if key not in skipped})
    return dict(keys, data=data)


def _set(near: Path, name: str) -> dict[str, Any]:
    path = _file(near, "data", name)
    if path is None:
        known = group_values(near, "data")
        raise UserError(f"data: no data set named {name!r}; {suggest(name, known, 'data sets')}")
    return join(read_layers(path))


def _target(keys: Mapping[str, Any]) -> dict[str, Any]:
    return merge(keys["data"]["domains"]["source"], keys.get("as_target", {}))


def _joined(sets: list[dict[str, Any]]) -> dict[str, Any]:
    return sets[0] if len(sets) == 1 else dict(type="JoinedSets", sets=sets)
