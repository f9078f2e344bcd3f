"""A loss in its role: on which domain, after which head, with which weight.

Losses are small and exact: they run in float32 whatever the rest of the model runs in.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.registry import LOSS_INPUTS, LOSSES, MATCHERS
from reidkit.structures import Embedding, HeadOutput, ReIDBatch

# inputs of losses that only a head gives
OF_HEAD = {"logits", "vectors", "maps", "attention", "weights"}


class LossRole(nn.Module):
    """One loss in one role: on which domain, after which head, with which weight.

    Args:
        loss: LOSSES config.
        domain: the domain whose batches it sees.
        head: "embed" for the embedding head, or the name of an auxiliary head.
        weight: factor on the loss, >= 0.
        derived: numbers that only the framework knows, for losses that declare them.

    Raises:
        ValueError: the loss asks for a parameter that nothing supplies.

    Example:
        >>> role = LossRole(dict(type="CrossEntropyLoss"), domain="source", weight=2.0)
        >>> role.needs
        ('logits', 'identities')
    """

    def __init__(
        self,
        loss: dict,
        domain: str = "source",
        head: str = "embed",
        weight: float = 1.0,
        derived: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.loss = LOSSES.build(loss, **(derived or {}))
        self.domain, self.head, self.weight = domain, head, weight
        self.identities = (derived or {}).get("num_identities")
        parameters = inspect.signature(self.loss.forward).parameters
        self.needs = tuple(parameters)
        self.optional = {n for n, p in parameters.items() if p.default is not p.empty}
        unknown = [name for name in self.needs if name not in LOSS_INPUTS]
        if unknown:
            raise ValueError(
                f"loss {loss['type']} asks for {unknown}; a loss may ask for {list(LOSS_INPUTS)}"
            )

    def forward(
        self, output: HeadOutput, batch: ReIDBatch, matcher: nn.Module | None = None
    ) -> Tensor:
        """The weighted loss of one batch, in float32 with autocast off.

        Raises:
            UserError: neither head nor batch has what the loss needs, or the loss gives anything
                but one number.
        """
        with torch.autocast(batch.images.device.type, enabled=False):
            known = self._known(output, batch, matcher)
            missing = [n for n in self.needs if known.get(n) is None and n not in self.optional]
            if missing:
                raise self._lacks(missing)
            given = {n: _wide(known[n]) for n in self.needs if known.get(n) is not None}
            return self.weight * self._one_number(self.loss(**given))

    def _lacks(self, missing: list[str]) -> UserError:
        """What to do about inputs that are missing: those of the head, then labels."""
        hints = ["have the head return it"] if set(missing) & OF_HEAD else []
        if set(missing) - OF_HEAD:
            hints.append(f"labels.train.{self.domain} in the config says which labels are loaded")
        return UserError(
            f"{type(self.loss).__name__} on domain '{self.domain}' needs {missing}, but neither "
            f"the '{self.head}' head nor the batch has it; {'; '.join(hints)}"
        )

    def _known(
        self, output: HeadOutput, batch: ReIDBatch, matcher: nn.Module | None
    ) -> dict[str, Any]:
        """Everything that a loss may ask for, as far as this batch has it."""
        known: dict[str, Any] = {name: getattr(batch, name, None) for name in LOSS_INPUTS}
        if "scores" in self.needs and output.scores is None:
            output.scores = _scores(learned(matcher, self), output.embedding)
        known["logits"], known["matcher"] = self._logits(output), matcher
        known["scores"], known["attention"] = output.scores, output.attention
        known["weights"] = output.weights
        if output.embedding is not None:
            known["vectors"], known["maps"] = output.embedding.vectors, output.embedding.maps
            known["visibility"] = output.embedding.visibility  # of the head's own parts, or none
        return known

    def _logits(self, output: HeadOutput) -> Tensor | None:
        logits = output.logits
        if logits is None or logits.ndim != 3 or self.identities in (None, logits.shape[2]):
            return logits
        raise UserError(
            f"the '{self.head}' head gave logits {tuple(logits.shape)}; (N, P, K) is wanted, "
            f"with K = {self.identities} training identities last"
        )

    def _one_number(self, value: Any) -> Tensor:
        if isinstance(value, Tensor) and value.shape == ():
            return value
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise UserError(
            f"{type(self.loss).__name__}.forward must return one number, a tensor of shape (); it "
            f"returned {found}. Take the mean over the images: return loss.mean()"
        )


def _wide(value: Any) -> Any:
    """Floating-point tensors, alone or in a dict, as float32; anything else as it is."""
    if isinstance(value, Mapping):
        return {name: _wide(one) for name, one in value.items()}
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def _scores(matcher: Any, embedding: Embedding | None) -> Tensor:
    """The batch against itself, of an embedding in float32."""
    if embedding is None:
        raise UserError("a loss asks for scores, but its head gives no embedding to compare")
    wide = embedding.to(torch.float32)
    return matcher.scores(wide, wide)  # the same object: matchers may use that


def learned(matcher: nn.Module | None, asking: nn.Module) -> Any:
    """The matcher, which must be a learned one.

    Args:
        matcher: of the model.
        asking: the loss role that needs it.

    Raises:
        UserError: it has no ``scores``.
    """
    if not hasattr(matcher, "scores"):
        learned_ones = [name for name in MATCHERS.names() if hasattr(MATCHERS.get(name), "scores")]
        raise UserError(
            f"{type(getattr(asking, 'loss', asking)).__name__} trains a learned matcher, and "
            f"{type(matcher).__name__} is none; set model.matcher to one with scores (of the "
            f"loaded plugins: {', '.join(learned_ones) or 'none'}), or take another loss"
        )
    return matcher
