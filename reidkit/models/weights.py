"""Starting weights from the checkpoints of others: whose they are, what fits, layer by layer.

| written by | where the backbone's tensors are | beside them |
|---|---|---|
| torchvision | ``layer1.0.conv1.weight`` | ``fc.weight``, ``fc.bias`` |
| torchreid | the same, in ``state_dict``, maybe behind ``module.`` | ``classifier.*``, ``fc.0.*`` |
| fast-reid | ``backbone.layer1.0.conv1.weight``, in ``model`` | ``heads.*``, ``pixel_mean`` |
| reidkit, mmpretrain | the same, in ``state_dict`` | ``head.*``, ``losses.*`` |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_state

WRITERS = ("torchvision", "torchreid", "fast-reid", "mmengine")
# first parts of the names of what is no backbone, by writer
_BESIDE = {
    "torchvision": ("fc", "classifier", "head"),
    "torchreid": ("fc", "classifier"),
    "fast-reid": ("heads", "pixel_mean", "pixel_std"),
    "mmengine": ("head", "neck", "aux_heads", "losses", "matcher", "data_preprocessor"),
}
_KINSHIP = {".IN.": "IBN", ".se.": "squeeze-and-excitation", "NL_": "non-local"}


@dataclass(frozen=True)
class Loaded:
    """What became of the tensors of a checkpoint.

    Attributes:
        path: the file.
        writer: who wrote it, one of ``WRITERS`` ("mmengine": reidkit or mmpretrain).
        layers: layer of the backbone -> name of that layer in the file, number of tensors.
        left: layer of the file -> number of tensors that were left behind.
        note: something the user should know; may be empty.
    """

    path: str
    writer: str
    layers: dict[str, tuple[str, int]]
    left: dict[str, int]
    note: str = ""

    def report(self) -> str:
        """Every layer with where it came from, then what was left behind.

        Example:
            >>> print(Loaded("a.pth", "fast-reid", {"conv1": ("backbone.conv1", 1)},
            ...              {"heads": 1}).report())
            a.pth: written by fast-reid, 1 tensors loaded
              conv1  <- backbone.conv1 (1)
              left behind: heads (1)
        """
        total = sum(count for _, count in self.layers.values())
        width = max(map(len, self.layers), default=0)
        lines = [f"{self.path}: written by {self.writer}, {total} tensors loaded"]
        lines += [
            f"  {name:<{width}}  <- {source} ({count})"
            for name, (source, count) in self.layers.items()
        ]
        left = ", ".join(f"{name} ({count})" for name, count in self.left.items())
        lines += [f"  left behind: {left}"] if left else []
        return "\n".join([*lines, *([f"  {self.note}"] if self.note else [])])


def writer_of(names: Mapping[str, Any]) -> str:
    """Who wrote a state dict, by the names in it.

    Args:
        names: of tensors, without ``module.``.

    Example:
        >>> writer_of({"backbone.conv1.weight": 0, "heads.weight": 0})
        'fast-reid'
        >>> writer_of({"conv1.weight": 0, "classifier.weight": 0})
        'torchreid'
    """
    tops = {name.split(".")[0] for name in names}
    if "backbone" in tops:
        return "mmengine" if "head" in tops else "fast-reid"
    flat = "conv1" in tops  # a ResNet whose classifier is called so is torchreid's
    return "torchreid" if flat and "classifier" in tops else "torchvision"


def load_weights(
    net: nn.Module, path: str, beyond: Callable[[str], bool] = lambda name: False
) -> Loaded:
    """Copy a checkpoint's tensors into a backbone whose names are torchvision's.

    Args:
        net: the backbone; every tensor of it must be in the file.
        path: of a state dict, or a checkpoint of torchreid, fast-reid or reidkit.
        beyond: says of a backbone tensor that ``net`` leaves it out on purpose.

    Raises:
        UserError: no such file, or weights of another network, with the layers that differ.
    """
    state = {name.removeprefix("module."): value for name, value in load_state(path).items()}
    writer = writer_of(state)
    own = net.state_dict()
    sources = {name.removeprefix("backbone."): name for name in state}
    counters = {n for n in own if n.endswith("num_batches_tracked")}  # older files lack them
    missing = [n for n in own if n not in sources and n not in counters]
    wrong = [n for n in own if n in sources and state[sources[n]].shape != own[n].shape]
    left = [n for n in sources if n not in own]
    extra = [n for n in left if n.split(".")[0] not in _BESIDE[writer] and not beyond(n)]
    if missing or wrong or extra:
        raise UserError(_misfit(path, writer, net, state, sources, missing, wrong, extra))
    net.load_state_dict({n: state[sources[n]] if n in sources else own[n] for n in own})
    layers = Counter(_layer(n) for n in own if n in sources)
    names = {_layer(n): _layer(sources[n]) for n in own if n in sources}
    return Loaded(
        path,
        writer,
        {layer: (names[layer], count) for layer, count in layers.items()},
        dict(Counter(_layer(sources[n]) for n in left)),
    )


def _layer(name: str) -> str:
    """The layer or block that a tensor belongs to: its module, cut after the first number."""
    parts = name.split(".")[:-1] or [name]
    numbered = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return ".".join(parts[: numbered + 1])


def _misfit(
    path: str,
    writer: str,
    net: nn.Module,
    state: Mapping[str, Tensor],
    sources: Mapping[str, str],
    missing: list[str],
    wrong: list[str],
    extra: list[str],
) -> str:
    """Which layers do not fit, and what kind of network the file is of."""
    lines = [f"{path}: weights do not fit {type(net).__name__} (written by {writer})"]
    shapes = {n: (tuple(state[sources[n]].shape), tuple(net.state_dict()[n].shape)) for n in wrong}
    for layer in dict.fromkeys(map(_layer, [*wrong, *missing, *extra])):
        of = [n for n in wrong if _layer(n) == layer]
        parts = [f"{n} is {shapes[n][0]} there, {shapes[n][1]} here" for n in of[:1]]
        for names, word in ((missing, "missing"), (extra, "unknown")):
            mine = [n for n in names if _layer(n) == layer]
            parts += [f"{len(mine)} {word} (first: {mine[0]})"] if mine else []
        lines.append(f"  {layer}: {'; '.join(parts)}")
    shown, more = lines[:7], len(lines) - 7
    shown += [f"  and {more} more layers"] if more > 0 else []
    kin = [word for mark, word in _KINSHIP.items() if any(mark in n for n in extra)]
    if kin:
        shown.append(f"  These are of a network with {' and '.join(kin)} layers, which it has not.")
    shown.append("  Use weights of the same depth and width, or pretrained=None.")
    return "\n".join(shown)


def fetch(what: str, get: Callable[[], Any], address: str) -> Any:
    """Run ``get``, which downloads; turn any failure into words.

    Args:
        what: whose weights.
        get: the download.
        address: where they can be had by hand.

    Raises:
        UserError: it did not work.
    """
    try:
        return get()
    except Exception as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the pretrained weights of {what} could not be fetched: {cause}\n"
            f"  without network: fetch {address} on another machine and set "
            "model.backbone.pretrained=<path>, or start from random weights with "
            "model.backbone.pretrained=None"
        ) from error


def torchvision_state(name: str, version: str = "DEFAULT") -> dict[str, Tensor]:
    """Torchvision's own weights of one of its networks, from its cache or the network.

    Args:
        name: torchvision's name of the network.
        version: "DEFAULT" (its best) or one such as "IMAGENET1K_V1".

    Raises:
        UserError: there are none, or they cannot be fetched.
    """
    from torchvision import models

    try:
        weights = models.get_model_weights(name)[version]
    except (KeyError, ValueError):
        raise UserError(f"torchvision has no {version} weights of {name}") from None
    return fetch(
        f"torchvision's {name}", lambda: weights.get_state_dict(check_hash=True), weights.url
    )
