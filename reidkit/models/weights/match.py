"""Which tensor of a file goes where in a network: by name, else by order and shape.

Names are compared with whatever stands before them in the file (``backbone.``, ``base.``,
``model.``): of all such prefixes the one counts under which most of the network's names are found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from reidkit.errors import UserError

COUNTER = "num_batches_tracked"  # older files lack them
# first parts of the names of what is no backbone, whoever writes them
BESIDE = (
    "fc", "classifier", "head", "heads", "head_dist", "neck", "bottleneck", "losses", "matcher",
    "aux_heads", "data_preprocessor", "pixel_mean", "pixel_std",
)  # fmt: skip

Says = Callable[[str], bool]


@dataclass(frozen=True)
class Match:
    """Pairs of names, and what found no partner.

    Attributes:
        pairs: name in the network -> name in the file.
        missing: names of the network that the file lacks.
        shapes: names of the network whose tensors have another shape in the file.
        extra: names in the file of layers that the network does not have.
        left: names in the file of what is no part of such a network, such as classifiers.
        rule: "by name", or "by order and shape".
    """

    pairs: dict[str, str]
    missing: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    rule: str = "by name"

    @property
    def fits(self) -> bool:
        """Whether every tensor of the network is there."""
        return not (self.missing or self.shapes or self.extra)


def match(
    tensors: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    beyond: Says = lambda name: False,
    optional: Says = lambda name: False,
    flexible: Says = lambda name: False,
    beside: tuple[str, ...] = BESIDE,
) -> Match:
    """Pair the tensors of a file with those of a network.

    Args:
        tensors: of the file, in its order.
        own: of the network, in its order.
        beyond: says of a name in the file, without its prefix, that the network leaves it out on
            purpose.
        optional: says of a name of the network that the file may lack it, or have another shape:
            its classifier.
        flexible: says of a name of the network that its shape may differ: it is resized later.
        beside: beginnings of names in the file of what is no part of such a network.

    Raises:
        UserError: the file holds two networks of the kind.

    Example:
        >>> import torch
        >>> file = {"base.a.weight": torch.zeros(2), "classifier.weight": torch.zeros(9, 2)}
        >>> match(file, {"a.weight": torch.zeros(2)}).pairs
        {'a.weight': 'base.a.weight'}
        >>> match({"x.weight": torch.zeros(2)}, {"a.weight": torch.zeros(2)}).rule
        'by order and shape'
    """
    named = by_name(tensors, own, beyond, optional, flexible, beside)
    if named.fits:
        return named
    wanted = {name: tensor for name, tensor in own.items() if not optional(name)}
    return by_order(tensors, wanted) or named


def by_name(
    tensors: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    beyond: Says,
    optional: Says,
    flexible: Says,
    beside: tuple[str, ...] = BESIDE,
) -> Match:
    """Pair tensors under the prefix that most of the network's names have in the file."""
    prefix = best_prefix(tensors, own)
    pairs = {name: prefix + name for name in own if prefix + name in tensors}
    other = [n for n, source in pairs.items() if tensors[source].shape != own[n].shape]
    shapes = [n for n in other if not flexible(n)]
    shapes, dropped = [n for n in shapes if not optional(n)], {n for n in shapes if optional(n)}
    pairs = {n: source for n, source in pairs.items() if n not in dropped}
    missing = [n for n in own if n not in pairs and n not in dropped and not optional(n)]
    missing = [n for n in missing if not n.endswith(COUNTER)]
    taken = set(pairs.values())
    extra: list[str] = []
    left: list[str] = []
    for source in tensors:
        bare = source.removeprefix(prefix)
        apart = not source.startswith(prefix) or bare.startswith(beside)
        if source not in taken:
            (left if apart or bare in own or beyond(bare) else extra).append(source)
    return Match(pairs, missing, shapes, extra, left)


def best_prefix(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """What stands in the file before most of the network's names.

    Raises:
        UserError: two prefixes with as many names.
    """
    votes = Counter(p for name in tensors for p, rest in _cuts(name) if rest in own)
    best = votes.most_common(2)
    if len(best) == 2 and best[0][1] == best[1][1] and best[0][1] > len(own) // 2:
        raise UserError(
            f"holds two networks of this kind, under {best[0][0]!r} and {best[1][0]!r}; save one "
            "of them in a file of its own"
        )
    return best[0][0] if best else ""


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Every way to part a name before one of its parts: what is before it, and the rest."""
    yield "", name
    for place, letter in enumerate(name):
        if letter == ".":
            yield name[: place + 1], name[place + 1 :]


def by_order(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Match | None:
    """Pair tensors one after the other, where kinds and shapes agree all along; else None.

    What may follow in the file is a classifier: a few matrices and vectors.
    """
    sources = [n for n in tensors if not n.endswith(COUNTER)]
    names = [n for n in own if not n.endswith(COUNTER)]
    rest = sources[len(names) :]
    if len(sources) < len(names) or len(rest) > 4 or any(tensors[n].ndim > 2 for n in rest):
        return None
    for name, source in zip(names, sources, strict=False):
        kind = name.rpartition(".")[2] == source.rpartition(".")[2]
        if not kind or own[name].shape != tensors[source].shape:
            return None
    pairs = dict(zip(names, sources, strict=False))
    return Match(pairs, left=rest, rule="by order and shape")
