"""Official COCO models of mmpose: short names, where their weights lie, and how they get here.

Addresses are those of mmpose's own index of models, which is part of its package.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from reidkit.errors import UserError
from reidkit.utils.locks import alone
from reidkit.utils.trouble import make_folder

# average precision on COCO val2017 as mmpose's index states it: 71.6, 74.6, 74.6, 75.7
SHORT = {
    "rtmpose-s": "rtmpose-s_8xb256-420e_coco-256x192",
    "rtmpose-m": "rtmpose-m_8xb256-420e_coco-256x192",
    "hrnet-w32": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
    "vitpose-b": "td-hm_ViTPose-base_8xb64-210e_coco-256x192",
}
SECONDS = 30.0  # without an answer, after which there is no network
PHOTOGRAPHS = "rtmpose-m"  # labels photographs where nothing else is said


def _cache() -> Path:
    """Where torch and mmengine keep what they fetch."""
    import torch

    return Path(torch.hub.get_dir(), "checkpoints")


def find_weights(name: str, address: str, folder: Path) -> Path:
    """Where the weights of an official model lie, or would be fetched to.

    Args:
        name: of its config.
        address: that mmpose publishes them at.
        folder: of pose checkpoints that were put there by hand, under their own name or as
            ``<name>.pth``.
    """
    file = address.rpartition("/")[2]
    places = [folder / file, folder / f"{name}.pth", _cache() / file]
    return next((place for place in places if place.is_file()), places[-1])


def fetch(file: Path, address: str, folder: Path) -> None:
    """Fetch weights into the cache that mmengine and torch share, unless they are there.

    Nothing is unpickled, and the file is compared with the hash in its name.

    Args:
        file: in the cache.
        address: where it is published.
        folder: where it may be put by hand, for the message.

    Raises:
        UserError: no network, or another file at that address, with what to put where instead.
    """
    import torch

    if file.is_file():
        return
    make_folder(file.parent)
    wanted = re.search(r"-([0-9a-f]{8})_\d{8}\.pth$", file.name)
    try:
        with alone(file.with_name(f".{file.name}.lock")):
            if not file.is_file():
                prefix = wanted[1] if wanted else None
                with _patience(SECONDS):
                    torch.hub.download_url_to_file(address, str(file), prefix)
    except (OSError, RuntimeError, HTTPException) as error:  # URLError is an OSError
        lines = str(getattr(error, "reason", error)).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise UserError(
            f"{file.name}: the weights of the pose model are not here and could not be fetched "
            f"({reason}); {advice(address, folder)}"
        ) from None


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """A limit for connections that nobody answers, where a library sets none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def advice(address: str, folder: Path) -> str:
    """What works without a network."""
    return (
        f"put {address} into {folder.as_posix()}/, or import keypoints that another program "
        "found: python tools/generate_part_labels.py DATASET --import FILE"
    )
