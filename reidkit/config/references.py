"""Parts of a config that refer to each other: domains, heads, roles, and the known keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reidkit.config.files import config_path, default_layers, join
from reidkit.config.places import DATA_KEYS, PREREQUISITE_KEYS, ROLE_KEYS
from reidkit.config.problems import Problem, suggest
from reidkit.errors import UserError
from reidkit.kinds import kind_of
from reidkit.plugin.setting import Setting

Node = Mapping[str, Any]


def node_of(tree: Node, key: str) -> Node:
    """The dict at a key; empty where there is none."""
    value = tree.get(key)
    return value if isinstance(value, Mapping) else {}


def names_of(value: Any) -> list[str]:
    """The texts in a list; empty for anything else."""
    return (
        [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []
    )


def shorten(node: Any) -> str:
    """A value as text of at most 60 characters."""
    text = repr(node)
    return text if len(text) <= 60 else text[:57] + "..."


def reference_problems(tree: Node) -> Iterator[Problem]:
    """Unknown keys, and names that refer to nothing."""
    yield from _default_problems(tree)
    yield from _data_problems(tree)
    yield from _role_problems(tree)
    yield from _prerequisite_problems(tree)
    yield from _train_problems(tree)


def _default_problems(tree: Node) -> Iterator[Problem]:
    """Keys of ``train`` and ``input`` against the closed set that default.py gives."""
    defaults = join(default_layers())
    for part in ("train", "input"):
        known = node_of(defaults, part)
        yield from _against(node_of(tree, part), known, part)
        # without a key whose default is nothing, nothing is meant
        yield from _missing(tree, part, [key for key, value in known.items() if value])
    for name, stage in node_of(node_of(tree, "train"), "stages").items():
        if isinstance(stage, Mapping):
            yield from _against(stage, node_of(defaults, "train"), f"train.stages.{name}")
        else:
            yield Problem(f"train.stages.{name}", f"expected changes to train, got {stage!r}")


def _against(given: Node, known: Node, where: str) -> Iterator[Problem]:
    for key, value in given.items():
        if known and key not in known:
            yield Problem(f"{where}.{key}", f"unknown key {key!r}", suggest(key, known, "keys"))
        elif known and kind_of((where, key)) is None and value is not None:
            wrong = Setting(known[key], "").problem(value)
            if wrong:
                yield Problem(f"{where}.{key}", wrong)


def _missing(tree: Node, part: str, keys: Sequence[str]) -> Iterator[Problem]:
    """Keys that every config has, from default.py or its data set, unless a saved one lost them."""
    if isinstance(tree.get(part), Mapping):
        for key in keys:
            if key not in tree[part]:
                yield Problem(f"{part}.{key}", "missing")


def _data_problems(tree: Node) -> Iterator[Problem]:
    data = node_of(tree, "data")
    for key in data:
        if key not in DATA_KEYS:
            yield Problem(f"data.{key}", f"unknown key {key!r}", suggest(key, DATA_KEYS, "keys"))
    yield from _missing(tree, "data", ("name", "tests"))
    domains = list(node_of(data, "domains"))
    for name in domains:
        if not re.fullmatch(r"\w[\w.+-]*", str(name)):
            hint = "letters, digits and _ . + - : files are named after domains"
            yield Problem("data.domains", f"{name!r} cannot name a domain", hint)
    if "data" in tree and not domains:
        yield Problem("data.domains", "expected a data set per domain, found none")
    for number, name in enumerate(names_of(data.get("tests"))):
        if name not in domains:
            hint = suggest(name, domains, "domains")
            yield Problem(f"data.tests.{number}", f"no domain named {name!r}", hint)


def _role_problems(tree: Node) -> Iterator[Problem]:
    """Roles of losses, for models that have any: domain, head, weight, and what the loss needs."""
    model = node_of(tree, "model")
    domains = list(node_of(node_of(tree, "data"), "domains"))
    heads = ["embed", *node_of(model, "aux_heads")]
    for name, role in node_of(model, "losses").items():
        where = f"model.losses.{name}"
        if not isinstance(role, Mapping):
            hint = 'a role is dict(domain="source", weight=1.0, loss=dict(type="..."))'
            yield Problem(where, f"expected a role with a 'loss', got {shorten(role)}", hint)
            continue
        yield from _role_keys(role, where, domains)
        head, weight = role.get("head", "embed"), role.get("weight", 1.0)
        if head not in heads:
            yield Problem(
                f"{where}.head", f"no head named {head!r}", suggest(str(head), heads, "heads")
            )
        if wrong := Setting(1.0, "").problem(weight):
            yield Problem(f"{where}.weight", wrong)


def _role_keys(role: Node, where: str, domains: list[str]) -> Iterator[Problem]:
    """Keys that a role lacks or has too many of, and a domain that is none."""
    if "loss" not in role:
        hint = f"say which loss, e.g. +{where}.loss=CrossEntropyLoss"
        yield Problem(where, "'loss' is missing", hint)
    if "domain" not in role:
        first = next(iter(domains), "source")
        hint = f"say which domain it trains on, e.g. +{where}.domain={first}"
        listed = f" (domains: {', '.join(domains)})" if domains else ""
        yield Problem(where, "'domain' is missing", hint + listed)
    elif domains and role["domain"] not in domains:
        hint = suggest(str(role["domain"]), domains, "domains")
        yield Problem(f"{where}.domain", f"no domain named {role['domain']!r}", hint)
    for key in role:
        if key not in ROLE_KEYS:
            hint = suggest(key, ROLE_KEYS, "keys")
            yield Problem(f"{where}.{key}", f"a role has no key {key!r}", hint)


def _prerequisite_problems(tree: Node) -> Iterator[Problem]:
    """Runs that this one builds on: known keys, and a config that exists."""
    for role, wanted in node_of(tree, "prerequisites").items():
        where = f"prerequisites.{role}"
        if not isinstance(wanted, Mapping) or not isinstance(wanted.get("config"), str):
            hint = 'a prerequisite is dict(config="mypaper/teacher", run=None, overrides=[])'
            yield Problem(where, f"expected a dict with a 'config', got {shorten(wanted)}", hint)
            continue
        for key in wanted:
            if key not in PREREQUISITE_KEYS:
                hint = suggest(key, PREREQUISITE_KEYS, "keys")
                yield Problem(f"{where}.{key}", f"a prerequisite has no key {key!r}", hint)
        try:
            config_path(wanted["config"])
        except UserError as error:
            yield Problem(f"{where}.config", str(error))


def _train_problems(tree: Node) -> Iterator[Problem]:
    """Factors by pattern, and transforms that are not named."""
    train = node_of(tree, "train")
    for key in ("lr_mult", "decay_mult", "loss_mult"):
        for pattern, factor in node_of(train, key).items():
            if wrong := Setting(1.0, "").problem(factor):
                yield Problem(f"train.{key}.{pattern}", wrong)
    for when, steps in node_of(node_of(tree, "model"), "transforms").items():
        if not isinstance(steps, Mapping):
            hint = 'steps have names, in order: dict(flip=dict(type="RandomFlip", p=0.5), ...)'
            where = f"model.transforms.{when}"
            yield Problem(where, f"expected a dict, got {shorten(steps)}", hint)
