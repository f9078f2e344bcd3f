"""Tiny trees in the real layouts: true folder structure and file names, textured 32x16 images."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data.split import Split
from reidkit.synthped.reader import SynthPed


def picture(name: str, height: int = 32, width: int = 16) -> np.ndarray:
    """A smooth texture that depends on the name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    coarse = rng.integers(0, 256, (4, 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def put(folder: Path, names: Iterable[str], height: int = 32, width: int = 16) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), picture(name, height, width))


@pytest.fixture(scope="session")
def write_images() -> Callable[..., None]:
    """``write_images(folder, names, height, width)``."""
    return put


MARKET = [
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "bounding_box_train/0002_c2s1_000301_01.jpg",
    "bounding_box_train/0007_c3s3_077419_03.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "query/0003_c4s6_015641_00.jpg",
    "bounding_box_test/-1_c1s1_000401_03.jpg",
    "bounding_box_test/0000_c1s1_000151_01.jpg",
    "bounding_box_test/0001_c2s1_000401_02.jpg",
    "bounding_box_test/0003_c6s1_001051_00.jpg",
]


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """``data_root`` with a small Market-1501 in it, clutter included."""
    root = tmp_path / "market1501"
    put(root, MARKET)
    (root / "bounding_box_test/Thumbs.db").write_bytes(b"x")
    (root / "bounding_box_train/._0002_c1s1_000451_03.jpg").write_bytes(b"x")
    return tmp_path


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """23 crops of two sizes, 6 identities."""
    folder = tmp_path_factory.mktemp("crops")
    names = [f"{i:03d}.{'png' if i % 5 == 0 else 'jpg'}" for i in range(23)]
    put(folder, names[:12])
    put(folder, names[12:], 40, 20)
    ids = np.array([3, 5, 9, 11, 20, 21])[np.arange(23) % 6]
    return Split("toy", "train", folder, tuple(names), ids, np.arange(23) % 4)


@pytest.fixture(scope="session")
def people(tiny_data: Path) -> dict[int, list[np.ndarray]]:
    """Identity -> RGB crops of SynthPed, at least four of each, for sets of other layouts."""
    split = SynthPed(str(tiny_data), preset="tiny").splits()["train"]
    found: dict[int, list[np.ndarray]] = {}
    for row, identity in enumerate(split.identities.tolist()):
        pixels = cv2.cvtColor(cv2.imread(str(split.file(row))), cv2.COLOR_BGR2RGB)
        found.setdefault(identity, []).append(pixels)
    found = {identity: crops for identity, crops in found.items() if len(crops) >= 4}
    assert len(found) >= 8
    return found
