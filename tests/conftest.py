"""Fixtures for the whole suite: data rendered or drawn, and commands."""

import fcntl
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id) -> Path:
    """One folder for all workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def rendered(root: Path, preset: str) -> Path:
    """A data root with a preset of SynthPed, domains A and B, rendered once for all workers."""
    from reidkit.synthped.reader import SynthPed

    with open(root.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for domain in ("A", "B"):
            SynthPed(str(root), domain=domain, preset=preset).prepare()
    return root


@pytest.fixture(scope="session")
def easy_data(shared_folder) -> Path:
    """SynthPed's easy preset."""
    return rendered(shared_folder / "data", "easy")


@pytest.fixture(scope="session")
def tiny_data(shared_folder) -> Path:
    """SynthPed's tiny preset."""
    return rendered(shared_folder / "tiny", "tiny")


@pytest.fixture
def run_command(capsys):
    """Run ``reidkit ARGS`` in this process: its exit status, and what it prints."""
    from reidkit.cli.main import main

    def run(*args: object) -> subprocess.CompletedProcess:
        capsys.readouterr()
        status = main([str(arg) for arg in args])
        return subprocess.CompletedProcess(args, status, *capsys.readouterr())

    return run


# what costs more to import than torch itself, or half as much, and is no part of a check or a test
DEAR = {
    "torch.distributed.fsdp", "torch._dynamo", "sympy", "torchvision", "timm", "mmpose", "scipy",
    "sklearn", "matplotlib", "tensorboard", "mmengine.runner", "mmengine.hooks", "mmengine.model",
    "mmengine.optim", "mmengine.visualization",
}  # fmt: skip


@pytest.fixture
def dear_modules():
    """Those of ``DEAR`` that a fresh interpreter has imported after running some code."""

    def imported(code: str) -> set[str]:
        tail = f"\nimport sys\nprint('\\n' + ' '.join(sorted({DEAR!r} & set(sys.modules))))"
        done = subprocess.run(
            [sys.executable, "-c", code + tail], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.splitlines()[-1].split())

    return imported


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    """A crop with structure at the scale of limbs, (H, W, 3) uint8 RGB."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (12, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def crops(tmp_path: Path):
    """Makes a split of JPEG crops whose sizes differ."""

    import simplejpeg

    from reidkit.data.split import Split

    def make(count: int = 10, key: str = "toy/train", folder: str = "images") -> Split:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        names = [f"{i:04d}_c{i % 3}.jpg" for i in range(count)]
        for i, name in enumerate(names):
            (root / name).write_bytes(simplejpeg.encode_jpeg(smooth(i, 40 + i, 20 + i % 4)))
        ids = np.arange(count) // 2
        return Split("toy", "train", root, tuple(names), ids, np.arange(count) % 3, label_key=key)

    return make


@pytest.fixture
def crop():
    """Makes one crop in memory; see ``smooth``."""
    return smooth


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of OSNet x0.25 and its layer after the pooling, with random weights."""
    import torch

    from reidkit.models.heads import FCHead
    from reidkit.models.osnet import OSNet
    from reidkit.structures import FeatureSpecs

    torch.manual_seed(0)
    network = OSNet("osnet_x0_25")
    head = FCHead(FeatureSpecs(network.specs, network.default), 3)
    file = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save({**network.state_dict(), **head.state_dict()}, file)
    return file
