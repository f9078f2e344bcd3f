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
from reidkit.registry import LOSSES, MATCHERS
from reidkit.structures import Embedding, HeadOutput, ReIDBatch

# what the model itself gives to losses
OF_MODEL = ("scores", "matcher")
OF_EMBEDDING = ("vectors", "maps", "visibility")


class LossRole(nn.Module):
    """One loss in one role: on which domain, after which head, with which weight.

    ``asks`` are the names of the loss's inputs, the parameters of its ``forward``; ``required``
    those without a default.

    Args:
        loss: LOSSES config.
        domain: the domain whose batches it sees.
        head: "embed" for the embedding head, or the name of an auxiliary head.
        weight: factor on the loss, >= 0.
        supply: what the framework supplies to losses; None builds one that needs nothing.

    Example:
        >>> role = LossRole(dict(type="CrossEntropyLoss"), domain="source", weight=2.0)
        >>> role.asks
        ('logits', 'identities')
    """

    def __init__(
        self,
        loss: dict,
        domain: str = "source",
        head: str = "embed",
        weight: float = 1.0,
        supply: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.loss = LOSSES.build(loss, supply)
        self.domain, self.head, self.weight = domain, head, weight
        self.identities = (supply or {}).get("num_identities")
        parameters = inspect.signature(self.loss.forward).parameters
        self.asks = tuple(parameters)
        self.required = tuple(n for n, p in parameters.items() if p.default is p.empty)

    def forward(
        self, output: HeadOutput, batch: ReIDBatch, matcher: nn.Module | None = None
    ) -> Tensor:
        """The weighted loss of one batch, in float32 with autocast off.

        Raises:
            UserError: neither head nor batch has what the loss asks for, or the loss gives anything
                but one number.
        """
        with torch.autocast(batch.images.device.type, enabled=False):
            known = {name: self._input(name, output, batch, matcher) for name in self.asks}
            given = {name: to_float32(value) for name, value in known.items() if value is not None}
            missing = [name for name in self.required if name not in given]
            if missing:
                raise UserError(
                    f"{type(self.loss).__name__} on domain '{self.domain}' asks for {missing}, but "
                    f"neither the '{self.head}' head nor the batch has it"
                )
            return self.weight * self._one_number(self.loss(**given))

    def _input(
        self, name: str, output: HeadOutput, batch: ReIDBatch, matcher: nn.Module | None
    ) -> Any:
        """One input by name: of the model, the head, or the batch; None where nobody has it."""
        if name == "matcher":
            return matcher
        if name == "scores" and name not in output.outputs:
            output.outputs[name] = _scores(learned(matcher, self), output.embedding)
        known = output.known()
        if name == "logits":
            return self._logits(known.get(name))
        # parts of the embedding are the head's own: a batch's regions may be others
        of_head = name in OF_EMBEDDING and output.embedding is not None
        return known.get(name) if of_head or name in known else batch.get(name)

    def _logits(self, logits: Tensor | None) -> Tensor | None:
        """The head's logits, refused where they are (N, P, K) of another number of identities."""
        if logits is None or logits.ndim == 4:
            return logits
        if logits.ndim == 3 and self.identities in (None, logits.shape[2]):
            return logits
        hint = "; logits[:, None] makes them one part" if logits.ndim == 2 else ""
        raise UserError(
            f"the '{self.head}' head gave logits {tuple(logits.shape)}; (N, P, K) is wanted, P "
            f"parts and K = {self.identities} training identities last, or (N, classes, h, w){hint}"
        )

    def _one_number(self, value: Any) -> Tensor:
        if isinstance(value, Tensor) and value.shape == ():
            return value
        what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise UserError(
            f"{type(self.loss).__name__}.forward must return one number, a tensor of shape (); it "
            f"returned {what}. Take the mean over the images: return loss.mean()"
        )


def to_float32(value: Any) -> Any:
    """Floating-point tensors, alone or in a dict, as float32; anything else as it is."""
    if isinstance(value, Mapping):
        return {name: to_float32(one) for name, one in value.items()}
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
        asking: the loss role that asks for it.

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
