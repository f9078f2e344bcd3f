"""Images of one source in every form that is read, in memory and on the disk."""

from __future__ import annotations

import io
import json
import tarfile

import cv2
import fsspec
import numpy as np
import pytest


def image(seed: int, kind: str = ".png") -> bytes:
    """The bytes of a small image file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 10, 3), np.uint8)
    return cv2.imencode(kind, pixels)[1].tobytes()


def tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    """The bytes of a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def samples(count: int) -> dict[str, bytes]:
    """Members of a webdataset of so many samples, with labels."""
    members = {}
    for number in range(count):
        labels = {"identity": f"p{number % 2}", "camera": number, "time": 1.5 * number}
        members[f"{number:03d}.png"] = image(number)
        members[f"{number:03d}.json"] = json.dumps(labels).encode()
    return members


def parquet(columns: dict) -> bytes:
    """The bytes of a Parquet file."""
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(arrow.table(columns), out)
    return out.getvalue()


@pytest.fixture
def memory():
    """``memory(files)``: an empty file system in memory that holds these files."""
    fs = fsspec.filesystem("memory")

    def filled(files: dict[str, bytes]) -> str:
        fs.pipe({f"/store/{name}": content for name, content in files.items()})
        return "memory://store"

    yield filled
    if fs.exists("/store"):
        fs.rm("/store", recursive=True)
