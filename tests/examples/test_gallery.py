"""The example of a gallery, by a ready network whose weights are random, on drawn images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidkit.gallery import Gallery
from reidkit.models.heads import FCHead
from reidkit.models.osnet import OSNet
from reidkit.structures import FeatureSpecs

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_example_runs(tmp_path):
    torch.manual_seed(0)
    network = OSNet("osnet_x0_25")
    head = FCHead(FeatureSpecs(network.specs, network.default), 3)
    torch.save({**network.state_dict(), **head.state_dict()}, tmp_path / "net.pth")
    rng = np.random.default_rng(0)
    for kind, names in dict(enrolled="ab", known="cdefg").items():
        for name in names:
            (tmp_path / kind / name).mkdir(parents=True)
            colour = rng.integers(0, 255, 3)
            for number in range(3):
                pixels = np.clip(colour + rng.normal(0, 20, (64, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / kind / name / f"{number}.png")
    (tmp_path / "queries").mkdir()
    Image.open(tmp_path / "enrolled" / "b" / "1.png").save(tmp_path / "queries" / "q.png")
    folders = [str(tmp_path / name) for name in ("people", "enrolled", "known", "queries")]
    more = [f"weights={tmp_path / 'net.pth'}", "input.size=(64,32)", "settings.device=cpu"]
    done = subprocess.run(
        [sys.executable, "examples/gallery.py", "osnet_x0_25", *folders, *more],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "because of" in done.stdout and "a erased: Erasure(images=3" in done.stdout
    gallery = Gallery(tmp_path / "people")
    assert gallery.identities == ["b"] and gallery.images("b")[0]["sources"].startswith("given by")
