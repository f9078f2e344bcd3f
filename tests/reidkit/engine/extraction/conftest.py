"""A model that is no network, and images in folders, Parquet and tars."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidkit.engine.crop_inputs import as_crops
from reidkit.structures import Embedding
from tests.reidkit.data.sources.conftest import image, memory, parquet, samples, tar  # noqa: F401


class MeanColour:
    """Embeds a crop as its mean colour; counts what it embeds, and may stop at a crop.

    Args:
        fingerprint: of it.
        most: crops after which it is interrupted.
    """

    name = "mean-colour"
    cfg = SimpleNamespace(
        input=SimpleNamespace(size=(8, 4), resize="cv2"),
        model=SimpleNamespace(matcher=SimpleNamespace(type="CosineMatcher")),
    )

    def __init__(self, fingerprint: str = "0" * 64, most: float = np.inf):
        self.fingerprint, self.most, self.count = fingerprint, most, 0

    def __call__(self, images, batch_size=64, cameras=None):
        crops = as_crops(images)
        means = [crop.pixels.mean((0, 1)) for crop in crops]
        self.count += len(crops)
        if self.count > self.most:
            raise KeyboardInterrupt
        return Embedding(torch.tensor(np.array(means), dtype=torch.float32)[:, None])


@pytest.fixture
def sources(tmp_path) -> list[str]:
    """A folder, a Parquet file and a tar of four images each, one of which is none."""
    folder = tmp_path / "crops" / "anna"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.png").write_bytes(image(number))
    (folder / "3.png").write_bytes(b"no image")
    table = parquet({"image": [*(image(n) for n in range(3)), b""], "pid": [1, 1, 2, 2]})
    (tmp_path / "a.parquet").write_bytes(table)
    cut = image(3)[:-30]
    (tmp_path / "a.tar").write_bytes(tar({**samples(3), "003.png": cut}))
    return [str(tmp_path / "crops"), str(tmp_path / "a.parquet"), str(tmp_path / "a.tar")]


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file each shard is: one that is written again is another."""
    return {
        file.name: (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in (folder / "shards").iterdir()
    }


@pytest.fixture(scope="session")
def network(tmp_path_factory) -> tuple[str, list[str], str]:
    """A network with random weights: its name, overrides and file."""
    from reidkit.models.heads import FCHead
    from reidkit.models.osnet import OSNet
    from reidkit.structures import FeatureSpecs

    torch.manual_seed(5)
    net = OSNet("osnet_x0_25")
    head = FCHead(FeatureSpecs(net.specs, net.default), 3)
    file = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save({**net.state_dict(), **head.state_dict()}, file)
    return "osnet_x0_25", ["input.size=(64,32)", "settings.device=cpu"], str(file)
