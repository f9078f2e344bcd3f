"""The contract of every kind of component, run on fakes: shapes, finite numbers, gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from reidkit.errors import UserError
from reidkit.kinds import KINDS
from reidkit.plugin.errors import line_of
from reidkit.plugin.load import folders
from reidkit.registry import REGISTRIES, signature
from reidkit.testing.data_contracts import (
    check_dataset,
    check_evaluator,
    check_frame_sampler,
    check_hook,
    check_labeller,
    check_sampler,
    check_transform,
)
from reidkit.testing.documentation import documentation_problems
from reidkit.testing.network_contracts import (
    check_backbone,
    check_head,
    check_loss,
    check_matcher,
    check_model,
    check_reranker,
)
from reidkit.testing.requirements import Build, ContractError, require
from reidkit.testing.supply import fake_supply

# kind -> check; every kind has one
CHECKS: dict[str, Callable[[Build], str]] = {
    "backbones": check_backbone,
    "heads": check_head,
    "losses": check_loss,
    "samplers": check_sampler,
    "frame_samplers": check_frame_sampler,
    "evaluators": check_evaluator,
    "datasets": check_dataset,
    "transforms": check_transform,
    "matchers": check_matcher,
    "rerankers": check_reranker,
    "models": check_model,
    "hooks": check_hook,
    "labellers": check_labeller,
}


def options_needed(kind: str, name: str) -> list[str]:
    """Options without a default that a config must give, which the framework does not supply.

    Example:
        >>> options_needed("matchers", "CosineMatcher")
        []
    """
    parameters = signature(REGISTRIES[kind].get(name)).values()
    return [
        p.name for p in parameters if p.default is p.empty and p.name not in KINDS[kind].supplies
    ]


def check_component(kind: str, name: str, options: Mapping[str, Any] | None = None) -> str:
    """Build one registered component and hold it to the contract of its kind.

    Every component: documented arguments equal the signature. Then it is built with its defaults
    and the numbers the framework derives, and run on fakes. Data sets are read when ``options``
    name a ``data_root``, else they must say what is missing. What needs options that have no
    default, a package that is not installed, or files that are not there, is not run, and the
    answer says so.

    Args:
        kind: a key of ``reidkit.registry.REGISTRIES`` ("heads").
        name: registered name, with the plugin's prefix.
        options: for components whose options have no defaults.

    Returns:
        What was done, for people.

    Raises:
        ContractError: a broken contract.
        KeyError: no such kind or component.

    Example:
        >>> import reidkit.evaluation
        >>> check_component("matchers", "CosineMatcher")
        'documented, built, distances checked'
    """
    registry = REGISTRIES[kind]
    component = registry.get(name)
    problems = documentation_problems(component)
    require(not problems, f"docstring: {'; '.join(problems)}")
    run = CHECKS[kind]
    needed = [option for option in options_needed(kind, name) if option not in (options or {})]
    if needed:
        return f"documented; not run, since {', '.join(needed)} has no default"
    config = dict(options or {}, type=name)
    torch.manual_seed(0)
    try:
        return "documented, built, " + run(
            lambda **known: registry.build(config, fake_supply(kind, **known))
        )
    except ContractError:
        raise
    except UserError as error:
        return f"documented; not run: {error}"
    except Exception as error:
        line = line_of(error, folders())
        cause = f"{type(error).__name__}: {error}" + (f"\n      {line}" if line else "")
        raise ContractError(cause) from error
