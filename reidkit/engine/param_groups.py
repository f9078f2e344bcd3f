"""Which parameters train, at which rate, and with which weight decay: all by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from reidkit.errors import UserError
from reidkit.utils.patterns import factors_by_name


def parameter_groups(
    model: nn.Module, params: Sequence[nn.Parameter], optimizer: dict, train: Mapping[str, Any]
) -> list[dict]:
    """Groups for a torch optimiser, one for each pair of learning rate and weight decay.

    Args:
        model: gives the names.
        params: those of one optimiser; the ones without gradient are left out.
        optimizer: options: ``lr``, perhaps ``weight_decay``, and mmengine's ``paramwise_cfg``,
            which is followed first and whose own rates are multiplied on.
        train: the config's node: ``lr_mult`` and ``decay_mult`` (see ``factors``) and
            ``layer_decay`` (see ``layer_factors``).

    Raises:
        UserError: a pattern that matches nothing, or layers that the backbone does not name.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        >>> groups = parameter_groups(net, list(net.parameters()), dict(lr=0.1, weight_decay=0.5),
        ...                           dict(lr_mult={"1.*": 2.0}, decay_mult={"*.bias": 0.0}))
        >>> [(g["lr"], g.get("weight_decay"), len(g["params"])) for g in groups]
        [(0.1, None, 1), (0.1, 0.0, 1), (0.2, None, 1), (0.2, 0.0, 1)]
    """
    rates = factors(model, train.get("lr_mult") or {}, "lr_mult")
    decays = factors(model, train.get("decay_mult") or {}, "decay_mult")
    if train.get("layer_decay") is not None:
        depth = layer_factors(model, float(train["layer_decay"]))
        rates = {key: rate * depth.get(key, 1.0) for key, rate in rates.items()}
    own = _paramwise(model, optimizer) if optimizer.get("paramwise_cfg") else {}
    groups: dict[tuple, dict] = {}
    for p in (p for p in params if p.requires_grad):
        group = {"lr": optimizer["lr"], **own.get(id(p), {})}
        group["lr"] *= rates[id(p)]
        if decays[id(p)] != 1.0:
            usual = group.get("weight_decay", optimizer.get("weight_decay", 0.0))
            group["weight_decay"] = usual * decays[id(p)]
        groups.setdefault(tuple(sorted(group.items())), dict(group, params=[]))["params"].append(p)
    return list(groups.values())


def factors(model: nn.Module, patterns: Mapping[str, float], key: str) -> dict[int, float]:
    """The factor of each parameter, by identity; 1 where no pattern matches.

    Args:
        model: whose parameters.
        patterns: factor by a pattern of parameter names, as in the shell ("backbone.*"). Of several
            that match, the longest counts.
        key: of the config's ``train`` node, for the message.

    Raises:
        UserError: a pattern that matches no parameter.
    """
    parameters = dict(model.named_parameters())
    try:
        values = factors_by_name(parameters, patterns)
    except KeyError as error:
        raise UserError(
            f"train.{key}: no parameter matches {error.args[0]!r}; modules: {_children(model)} "
            f"(~train.{key} takes all patterns away)"
        ) from None
    return {id(parameters[name]): value for name, value in values.items()}


def layer_factors(model: nn.Module, decay: float) -> dict[int, float]:
    """Rates that fall from the heads down to the input by a constant factor a layer.

    Of L layers of the backbone the first has the factor ``decay ** L``, the last ``decay``; heads
    and everything else outside the backbone have 1. A published rule counts as its network does:
    for timm's transformers the patches are one layer, and each block is one.

    Args:
        model: has a ``backbone`` whose ``layers()`` lists its parameters from input to output.
        decay: in (0, 1].

    Returns:
        Factor by the identity of each parameter of the backbone.

    Raises:
        UserError: ``decay`` out of range, or a backbone without ``layers()``.

    Source:
        Clark et al., arXiv 2003.10555 (ELECTRA), 3.1; the counting is that of timm's
        ``param_groups_layer_decay``.
    """
    if not 0 < decay <= 1:
        raise UserError(f"train.layer_decay={decay}: must be above 0 and at most 1")
    layers = _layers(model, "layer_decay", "name the rates with train.lr_mult")
    return {
        id(p): decay ** (len(layers) - depth) for depth, layer in enumerate(layers) for p in layer
    }


def _layers(model: nn.Module, key: str, otherwise: str) -> list[list[nn.Parameter]]:
    """The backbone's parameters from input to output.

    Args:
        model: has a ``backbone``.
        key: of the config's ``train`` node that needs them, for the message.
        otherwise: what would work without them, for the message.

    Raises:
        UserError: the backbone does not say.
    """
    backbone: Any = getattr(model, "backbone", None)
    if not hasattr(backbone, "layers"):
        raise UserError(
            f"train.{key}: {type(backbone).__name__} does not say in which order its layers "
            f"come; give it a method layers(), or {otherwise}"
        )
    return backbone.layers()


def _paramwise(model: nn.Module, optimizer: dict) -> dict[int, dict]:
    """What mmengine's ``paramwise_cfg`` says of each parameter, by identity."""
    from mmengine.optim import DefaultOptimWrapperConstructor

    options = dict(optimizer)
    rules = dict(options.pop("paramwise_cfg"))
    constructor = DefaultOptimWrapperConstructor(dict(optimizer=options), rules)
    groups: list[dict] = []
    constructor.add_params(groups, model)
    return {
        id(group["params"][0]): {k: v for k, v in group.items() if k != "params"}
        for group in groups
    }


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Fix modules or single parameters by name.

    A fixed module has no gradient and stays in eval mode, so that its batch-norm statistics, too,
    are as they were. A pattern that matches parameters alone fixes just these.

    Args:
        model: the whole model.
        patterns: names of modules ("backbone"), or patterns of names of modules and parameters as
            in the shell ("backbone.layer[12]", "*.bias").

    Raises:
        UserError: a pattern that matches nothing.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
        >>> freeze(net, ["0", "*.bias"])
        >>> net.train()[0].training, [p.requires_grad for p in net.parameters()]
        (False, [False, False, True, False])
    """
    for pattern in patterns:
        modules = [m for name, m in model.named_modules() if name and fnmatchcase(name, pattern)]
        params = [p for name, p in model.named_parameters() if fnmatchcase(name, pattern)]
        if not modules and not params:
            raise UserError(
                f"train.freeze: the model has no module {pattern!r}; {_near(model, pattern)}"
            )
        for parameter in params:
            parameter.requires_grad_(False)
        for module in modules:
            module.requires_grad_(False)
            for part in module.modules():
                _keep_in_eval(part)


def freeze_layers(model: nn.Module, count: int) -> None:
    """Fix the first layers of the backbone, whatever their names are.

    They have no gradient, and modules that hold nothing but them stay in eval mode, as in
    ``freeze``. Early layers of a pretrained network see edges and colours of any image; without
    them a step on a CPU costs about half.

    Args:
        model: has a ``backbone`` whose ``layers()`` lists its parameters from input to output.
        count: layers, as ``layers()`` counts them; 0 for none.

    Raises:
        UserError: a backbone without ``layers()``, or with fewer.

    Example:
        >>> net = nn.ModuleDict(dict(backbone=nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))))
        >>> net.backbone.layers = lambda: [list(part.parameters()) for part in net.backbone]
        >>> freeze_layers(net, 1)
        >>> net.train().backbone[0].training, [p.requires_grad for p in net.parameters()]
        (False, [False, False, True, True])
    """
    if not count:
        return
    layers = _layers(model, "freeze_layers", "name modules with train.freeze")
    if count > len(layers):
        raise UserError(
            f"train.freeze_layers={count}: {type(model.backbone).__name__} has {len(layers)} layers"
        )
    fixed = {id(p) for layer in layers[:count] for p in layer}
    backbone = model.get_submodule("backbone")
    for parameter in backbone.parameters():
        if id(parameter) in fixed:
            parameter.requires_grad_(False)
    for module in backbone.modules():
        own = list(module.parameters())
        if own and all(id(p) in fixed for p in own):
            for part in module.modules():
                _keep_in_eval(part)


def _keep_in_eval(module: nn.Module) -> None:
    module.training = False
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def _near(model: nn.Module, name: str) -> str:
    """Where a module of that last name is, else what the deepest module on the way to it has."""
    modules = dict(model.named_modules())
    last = name.rpartition(".")[2]
    same = [one for one in modules if one.rpartition(".")[2] == last]
    if same:
        return f"did you mean {same[0]!r}?"
    while name and name not in modules:
        name = name.rpartition(".")[0]
    known = ", ".join(one for one, _ in modules[name].named_children())
    return f"{name or 'it'} has: {known or 'none'}"


def _children(model: nn.Module) -> str:
    return ", ".join(name for name, _ in model.named_children())
