"""What became of the tensors of a file: a line for people, a report layer by layer, a refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from reidkit.models.weights.match import COUNTER, Match

_LEAVES = ("weight", "bias", "running_mean", "running_var", COUNTER)


@dataclass(frozen=True)
class Loaded:
    """What became of the tensors of a file.

    Attributes:
        path: the file.
        writer: whose names they are (``families.writer_of``).
        content: what the file holds, in words.
        layers: layer of the network -> name of that layer in the file, number of tensors.
        left: layer of the file -> number of tensors that were left behind.
        new: layer of the network -> number of tensors that start anew.
        rule: how the tensors were paired, "by name" or "by order and shape".
        note: something the user should know; may be empty.
    """

    path: str
    writer: str
    content: str
    layers: dict[str, tuple[str, int]]
    left: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)
    rule: str = "by name"
    note: str = ""

    def summary(self) -> str:
        """One line: the file, what it holds, how much of it was taken.

        Example:
            >>> Loaded("a.pth", "fast-reid", "a ResNet-50 with 751 classes",
            ...        {"conv1": ("backbone.conv1", 1)}, {"heads": 1}).summary()
            'a.pth: a ResNet-50 with 751 classes; 1 tensors loaded by name, 1 left behind'
        """
        taken = sum(count for _, count in self.layers.values())
        parts = [f"{taken} tensors loaded {self.rule}"]
        parts += [f"{sum(self.left.values())} left behind"] if self.left else []
        parts += [f"{sum(self.new.values())} new"] if self.new else []
        note = f" ({self.note})" if self.note else ""
        return f"{self.path}: {self.content}; {', '.join(parts)}{note}"

    def report(self) -> str:
        """The summary, then every layer with where it came from, and what was left behind."""
        width = max(map(len, self.layers), default=0)
        lines = [self.summary()]
        lines += [
            f"  {name:<{width}}  <- {source} ({count})"
            for name, (source, count) in self.layers.items()
        ]
        for word, layers in (("left behind", self.left), ("new", self.new)):
            listed = ", ".join(f"{name} ({count})" for name, count in layers.items())
            lines += [f"  {word}: {listed}"] if listed else []
        return "\n".join(lines)


def layer_of(name: str) -> str:
    """The layer or block that a tensor belongs to: its module, cut after the first number.

    Example:
        >>> layer_of("layer1.0.conv1.weight"), layer_of("fc.weight"), layer_of("base.pos_embed")
        ('layer1.0', 'fc', 'base.pos_embed')
    """
    parts = name.split(".")
    parts = parts[:-1] if len(parts) > 1 and parts[-1] in _LEAVES else parts
    numbered = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return ".".join(parts[: numbered + 1])


def by_layer(names: Sequence[str]) -> dict[str, int]:
    """Layer -> number of tensors, in the order of the names."""
    return dict(Counter(map(layer_of, names)))


def layers_of(match: Match) -> dict[str, tuple[str, int]]:
    """Layer of the network -> its name in the file, number of tensors."""
    counts = by_layer(list(match.pairs))
    sources = {layer_of(name): layer_of(source) for name, source in match.pairs.items()}
    return {layer: (sources[layer], count) for layer, count in counts.items()}


def misfit(
    path: str,
    network: str,
    content: str,
    match: Match,
    tensors: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
) -> str:
    """Why a file is refused: what it holds, and the first layers that differ.

    Args:
        path: the file.
        network: name of the network that it was meant for.
        content: what the file holds, in words.
        match: what fits and what does not.
        tensors: of the file.
        own: of the network.
    """
    lines = [f"{path}: weights do not fit {network}: the file holds {content}"]
    for layer in dict.fromkeys(map(layer_of, [*match.shapes, *match.missing, *match.extra])):
        parts = []
        for name in [n for n in match.shapes if layer_of(n) == layer][:1]:
            there, here = tuple(tensors[match.pairs[name]].shape), tuple(own[name].shape)
            parts.append(f"{name} is {there} there, {here} here")
        for names, word in ((match.missing, "missing"), (match.extra, "unknown")):
            some = [n for n in names if layer_of(n) == layer]
            parts += [f"{len(some)} {word} (first: {some[0]})"] if some else []
        lines.append(f"  {layer}: {'; '.join(parts)}")
    shown, more = lines[:7], len(lines) - 7
    shown += [f"  and {more} more layers"] if more > 0 else []
    return "\n".join([*shown, "  use weights of this very network, or pretrained=None"])
