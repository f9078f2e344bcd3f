"""The closed set of run settings, held by yacs: the core's own, and one node per plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yacs.config import CfgNode

from reidkit.config.problems import Problem, suggest
from reidkit.plugin.discover import discover
from reidkit.plugin.setting import Setting

CORE: dict[str, Setting] = {
    "seed": Setting(0, "every random choice of a run follows from it", low=0, high=2**32 - 1),
    "device": Setting("auto", "auto (CUDA when there is one), cpu, cuda or cuda:<n>"),
    "work_dir": Setting("runs", "folder in which run folders are made"),
    "data_root": Setting("data", "folder of all data sets"),
    "label_root": Setting(
        "", "folder of the label stores; empty: part_labels in data_root, which is then written to"
    ),
    "max_pixels": Setting(
        100_000_000, "most pixels that an image file may claim; a larger one is not decoded", low=1
    ),
    "workers": Setting(2, "loader processes per domain; 0 loads in the main process", low=0),
    "precision": Setting(
        "auto",
        "number format of training's forward pass (auto: what pays on the device); losses, and "
        "embeddings for tests, are float32",
        ("auto", "fp32", "bf16", "fp16"),
    ),
    "channels_last": Setting(True, "memory layout of images and weights; faster on most devices"),
    "deterministic": Setting(False, "only bit-for-bit repeatable GPU kernels; slower"),
    "ema": Setting(False, "test the moving average of the weights"),
    "pictures": Setting(True, "draw rank sheets, part sheets and the loss curve after a run"),
}


def known_settings(plugins: Iterable[str]) -> dict[str, dict[str, Setting]]:
    """Settings by node: "" for the core's, the plugin's name for a plugin's.

    Args:
        plugins: names; those that are not found bring none.
    """
    installed = discover().plugins
    nodes = {name: installed[name].settings for name in plugins if name in installed}
    return {"": CORE, **{name: node for name, node in nodes.items() if node}}


def resolve_settings(
    given: Mapping[str, Any], plugins: Iterable[str]
) -> tuple[CfgNode, list[Problem]]:
    """All settings of a run, frozen: the defaults with the given values over them.

    Args:
        given: the config's ``settings``; what does not fit is left at its default and listed.
        plugins: names of the plugins that the config loads.

    Returns:
        The node that components see, and the settings that are unknown or of a wrong type.

    Example:
        >>> settings, problems = resolve_settings({"seed": 3}, [])
        >>> settings.seed, settings.device, problems
        (3, 'auto', [])
    """
    known = known_settings(plugins)
    if not isinstance(given, Mapping):
        given, problems = {}, [Problem("settings", f"expected a dict, got {given!r}")]
    else:
        problems = settings_problems(given, known)
    wrong = {problem.where for problem in problems}
    node = CfgNode()
    for name, settings in known.items():
        where = f"settings.{name}" if name else "settings"
        values = given.get(name, {}) if name else given
        values = values if isinstance(values, Mapping) else {}
        kept = {
            key: setting.coerce(values[key])
            if key in values and f"{where}.{key}" not in wrong
            else setting.default
            for key, setting in settings.items()
        }
        if name:
            node[name] = CfgNode(kept)
        else:
            node.update(kept)
    node.freeze()
    return node, problems


def settings_problems(
    given: Mapping[str, Any], known: Mapping[str, Mapping[str, Setting]]
) -> list[Problem]:
    """Settings that are unknown or of a wrong type.

    Args:
        given: a config's ``settings``.
        known: of ``known_settings``.
    """
    problems = []
    for key, value in given.items():
        if key in known and key:
            if isinstance(value, Mapping):
                problems += _node_problems(value, known[key], f"settings.{key}", ())
            else:
                what = f"expected a dict of {key}'s settings, got {value!r}"
                problems.append(Problem(f"settings.{key}", what))
    own = {key: value for key, value in given.items() if key not in known or not key}
    return problems + _node_problems(own, CORE, "settings", [name for name in known if name])


def _node_problems(
    given: Mapping[str, Any], known: Mapping[str, Setting], where: str, nodes: Iterable[str]
) -> list[Problem]:
    problems = []
    for key, value in given.items():
        if key not in known:
            hint = suggest(str(key), [*known, *nodes], "settings")
            problems.append(Problem(f"{where}.{key}", f"no setting named {key!r}", hint))
        elif wrong := known[key].problem(value):
            problems.append(Problem(f"{where}.{key}", wrong, known[key].help))
    return problems
