"""Weights that libraries keep: fetched by the libraries themselves, into their own caches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from reidkit.errors import UserError


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
