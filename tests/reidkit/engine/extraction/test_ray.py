"""``reidkit extract --engine ray`` with a real Ray: equal files, a kill, bad images, problems.

``make ray`` makes an environment that has Ray: .ray/bin/python -m pytest with this file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import reidkit
from reidkit.cli.main import main
from reidkit.data.decode import decode_rgb
from reidkit.evaluation.io.extraction import Extraction
from tests.reidkit.data.sources.conftest import image, samples, tar
from tests.reidkit.engine.extraction.conftest import states

ray = pytest.importorskip("ray", reason="ray: make ray, or pip install 'reidkit[ray]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of which there are many
]
# a Ray that starts on a busy machine takes longer than it waits by default
PATIENCE = {"RAY_agent_register_timeout_ms": "240000", "RAY_raylet_start_wait_time_s": "240"}


@pytest.fixture(scope="module", autouse=True)
def patience():
    """Time for Ray to start, in this process and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**PATIENCE, "RAY_USAGE_STATS_ENABLED": "0"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def cluster(patience):
    """One small Ray for all tests of this file."""
    ray.init(address="local", num_cpus=1, object_store_memory=100_000_000, include_dashboard=False)
    yield
    ray.shutdown()


def arguments(network, *sources: str) -> list[str]:
    model, overrides, weights = network
    return ["extract", model, f"weights={weights}", *overrides, "--images", *sources]


def test_equal_to_the_local_engine_and_to_the_extractor(cluster, network, sources, tmp_path):
    sources = [f"file://{source}" for source in sources]
    parts = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        command = [*arguments(network, *sources), "--out", str(out), "--engine", engine]
        assert main(command) == 0
        parts[engine] = list(Extraction(out))
        bad = (out / "bad_images.csv").read_text().splitlines()
        assert len(bad) == 4 and "it is no image" in bad[1]
    model, overrides, weights = network
    wanted = reidkit.load(model, overrides, weights)([decode_rgb(image(n)) for n in range(3)])
    assert len(parts["ray"]) == 3
    for ours, other in zip(parts["local"], parts["ray"], strict=True):
        assert (ours.files, ours.identities, ours.cameras) == (
            other.files, other.identities, other.cameras,
        )  # fmt: skip
        for vectors in (ours.embedding.vectors, other.embedding.vectors):
            torch.testing.assert_close(vectors, wanted.vectors, rtol=0, atol=1e-6)


def test_a_problem_of_an_actor_is_said_in_words(cluster, network, sources, tmp_path, capsys):
    command = [*arguments(network, sources[1]), "--column", "pid", "--engine", "ray"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.endswith("no column 'pid' that holds bytes; --column names one of: image")
    more = [*arguments(network, sources[0]), "--engine", "ray", "--actors", "99"]
    assert main([*more, "--out", str(tmp_path / "more")]) == 2
    assert "Ray has 1 CPUs, 99 actors want 99" in capsys.readouterr().err


def test_a_kill_costs_the_shard_that_it_stops(network, tmp_path):
    folder, out = tmp_path / "tars", tmp_path / "out"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02d}.tar").write_bytes(tar(samples(40)))
    command = [*arguments(network, str(folder)), "--out", str(out), "--engine", "ray"]
    script = [sys.executable, "-m", "reidkit.cli.main", *command]
    process = subprocess.Popen(
        script, start_new_session=True, cwd=Path(reidkit.__file__).parents[1]
    )
    shards, limit = out / "shards", time.monotonic() + 300
    while len(list(shards.glob("*.json"))) < 2 and time.monotonic() < limit:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(5)  # actors that have lost their driver end by themselves
    kept = {name: state for name, state in states(out).items() if not name.startswith(".")}
    finished = sum(name.endswith(".json") for name in kept)
    assert 2 <= finished < 12
    ended = subprocess.run(script, cwd=Path(reidkit.__file__).parents[1], capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert f"{finished} of 12 shards are there already" in ended.stdout
    assert f"{out}: 480 images in 12 shards" in ended.stdout
    after = states(out)
    whole = {name for name in kept if f"{name.partition('.')[0]}.json" in kept}
    assert all(after[name] == kept[name] for name in whole) and len(after) == 24
