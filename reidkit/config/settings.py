"""The closed set of run settings, held by yacs: the core's own, and one node per plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yacs.config import CfgNode

from reidkit.config.problems import Problem, suggest
from reidkit.plugin.discover import discover
from reidkit.plugin.setting import Setting

CORE: dict[str, Setting] = {
    "seed": Setting(0, "every random choice of a run follows from it"),
    "device": Setting("auto", "auto (CUDA when there is one), cpu, cuda or cuda:<n>"),
    "work_dir": Setting("runs", "folder in which run folders are made"),
    "data_root": Setting("data", "folder of all data sets and label stores"),
    "workers": Setting(2, "loader processes per domain; 0 loads in the main process"),
    "precision": Setting(
        "auto",
        "number format of training's forward pass (auto: what pays on the device); losses, and "
        "embeddings for tests, are float32",
        ("auto", "fp32", "bf16", "fp16"),
    ),
    "channels_last": Setting(True, "memory layout of images and weights; faster on most devices"),
    "deterministic": Setting(False, "only bit-for-bit repeatable GPU kernels; slower"),
    "tensorboard": Setting(True, "write TensorBoard logs"),
    "wandb": Setting(False, "log to Weights & Biases (needs wandb installed and logged in)"),
    "ema": Setting(False, "test the moving average of the weights"),
    "pictures": Setting(True, "draw rank sheets, part sheets and the loss curve after a run"),
}


def core_settings() -> CfgNode:
    """The core's settings with their defaults.

    Example:
        >>> core_settings().seed
        0
    """
    return CfgNode({name: setting.default for name, setting in CORE.items()})


def known_settings(plugins: Iterable[str]) -> dict[str, dict[str, Setting]]:
    """Settings by node: "" for the core's, the plugin's name for a plugin's.

    Args:
        plugins: names; those that are not found bring none.
    """
    found = discover().plugins
    nodes = {name: found[name].settings for name in plugins if name in found}
    return {"": CORE, **{name: node for name, node in nodes.items() if node}}


def resolve_settings(given: Mapping[str, Any], plugins: Iterable[str]) -> CfgNode:
    """All settings, frozen: the defaults with the given values over them.

    Args:
        given: the config's ``settings``, fit or not; what does not fit is left at its default.
        plugins: names of the plugins that the config loads.

    Example:
        >>> settings = resolve_settings({"seed": 3}, [])
        >>> settings.seed, settings.device
        (3, 'auto')
    """
    node = core_settings()
    for name, settings in known_settings(plugins).items():
        values = given.get(name, {}) if name else given
        fit = {
            key: setting.coerce(values[key])
            for key, setting in settings.items()
            if isinstance(values, Mapping) and key in values and not setting.problem(values[key])
        }
        defaults = CfgNode({key: setting.default for key, setting in settings.items()})
        for key in [key for key in fit if settings[key].default is None]:
            defaults[key] = fit.pop(key)  # yacs would hold the type of None against it
        defaults.merge_from_other_cfg(CfgNode(fit))
        if name:
            node[name] = defaults
        else:
            node.update(defaults)
    node.freeze()
    return node


def complete_settings(given: Mapping[str, Any], plugins: Iterable[str]) -> dict[str, Any]:
    """The given settings with the defaults of the others; unfit ones are kept, for the check."""
    result: dict[str, Any] = {}
    for name, settings in known_settings(plugins).items():
        values = given.get(name, {}) if name else given
        values = values if isinstance(values, Mapping) else {}
        node = {k: s.coerce(values.get(k, s.default)) for k, s in settings.items()}
        if name:
            node.update({k: v for k, v in values.items() if k not in node})
            result[name] = node
        else:
            result.update(node)
    wrong = {k: v for k, v in given.items() if k not in result or not isinstance(v, Mapping)}
    return {**result, **{k: v for k, v in wrong.items() if k not in CORE}}


def settings_problems(given: Mapping[str, Any], plugins: Iterable[str]) -> list[Problem]:
    """Settings that are unknown or of a wrong type."""
    known = known_settings(plugins)
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
