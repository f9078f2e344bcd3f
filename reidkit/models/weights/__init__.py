"""Starting weights from the files of others: what they hold, what fits, layer by layer.

Every place that takes weights reads them here: ``pretrained=`` of backbones and heads,
``train.load_from``, ready networks (docs/weights.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.models.weights.library import fetch, from_hub, installed_file, torchvision_state
from reidkit.models.weights.loaded import Loaded, by_layer, layers_of, misfit
from reidkit.models.weights.match import BESIDE, COUNTER, Says, match
from reidkit.models.weights.read import Weights, read_weights, refuse_nan

__all__ = [
    "Loaded",
    "Weights",
    "fetch",
    "from_hub",
    "installed_file",
    "load_weights",
    "pair_weights",
    "read_weights",
    "starting_weights",
    "torchvision_state",
]


def load_weights(
    net: nn.Module,
    path: str | Path,
    beyond: Says = lambda name: False,
    optional: Says = lambda name: False,
    part: str = "",
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict,
) -> Loaded:
    """Copy the tensors of a file into a network.

    They are paired by name, whatever stands before the names in the file; else by order and shape,
    where all of them agree (``match.py``).

    Args:
        net: every tensor of it must be in the file.
        path: of the weights.
        beyond: says of a name in the file that ``net`` leaves it out on purpose.
        optional: says of a name in ``net`` that the file may lack it: its classifier.
        part: name of a module of ``net``; only its tensors are loaded, and the file may hold
            anything else.
        rename: brings a state dict into the names of ``net``.

    Raises:
        UserError: no such file, NaN, or weights of another network: the text says what the file
            holds and which layers differ.

    Example:
        >>> import tempfile, torch
        >>> from torch import Tensor, nn
        >>> folder, net = tempfile.TemporaryDirectory(), nn.Sequential(nn.Linear(2, 2))
        >>> named = {f"module.{name}": value for name, value in net.state_dict().items()}
        >>> torch.save(named, f"{folder.name}/a.pth")
        >>> loaded = load_weights(net, f"{folder.name}/a.pth")
        >>> loaded.layers, loaded.rule
        ({'0': ('0', 2)}, 'by name')
    """
    whole = net.state_dict()
    own = {n: v for n, v in whole.items() if n.startswith(f"{part}.")} if part else whole
    taken, loaded = pair_weights(
        own,
        path,
        f"{type(net).__name__}.{part}" if part else type(net).__name__,
        (lambda name: True) if part else beyond,
        optional,
        rename=rename,
    )
    net.load_state_dict({**whole, **taken})
    return replace(loaded, left={}) if part else loaded


def pair_weights(
    own: Mapping[str, Tensor],
    path: str | Path,
    network: str,
    beyond: Says = lambda name: False,
    optional: Says = lambda name: False,
    flexible: Says = lambda name: False,
    beside: tuple[str, ...] = BESIDE,
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict,
) -> tuple[dict[str, Tensor], Loaded]:
    """The tensors of a file under the names of a network, and what became of the others.

    Args:
        own: state dict of the network; its tensors may be on the meta device.
        path: of the weights.
        network: how messages call it.
        beyond, optional, flexible, beside: see ``match``.
        rename: brings a state dict into the names of the network's library.

    Raises:
        UserError: see ``load_weights``.
    """
    weights = read_weights(path)
    tensors = rename(weights.tensors)
    try:
        pairing = match(tensors, own, beyond, optional, flexible, beside)
    except UserError as error:
        raise UserError(f"{weights.path}: {error}") from None
    if not pairing.fits:
        facts = (weights.content, pairing, tensors, own)
        raise UserError(misfit(weights.path, network, *facts))
    taken = {name: tensors[source] for name, source in pairing.pairs.items()}
    refuse_nan(weights.path, taken)
    return taken, Loaded(
        weights.path,
        weights.writer,
        weights.content,
        layers_of(pairing),
        by_layer(pairing.left),
        by_layer([n for n in own if n not in pairing.pairs and not n.endswith(COUNTER)]),
        pairing.rule,
    )


def starting_weights(model: nn.Module) -> list[Loaded]:
    """What became of the files that parts of a model start from, in the order of its parts."""
    found = [getattr(part, "loaded", None) for part in model.children()]
    return [loaded for loaded in found if isinstance(loaded, Loaded)]
