"""``reidkit extract --engine ray`` with a real Ray: equal files, a kill, bad images, problems.

``make ray`` makes an environment that has Ray: .ray/bin/python -m pytest with this file.
"""

from __future__ import annotations

import os
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

ROOT = Path(__file__).parents[4]
ray = pytest.importorskip("ray", reason="ray: make ray, or pip install 'reidkit[ray]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of which there are many
]


@pytest.fixture(scope="module")
def cluster():
    """One small Ray for all tests of this file; gives its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        context = ray.init(
            address="local", num_cpus=1, object_store_memory=100_000_000, include_dashboard=False
        )
        yield context.address_info["address"]
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
    assert "no column 'pid' that holds bytes; --column names one of" in capsys.readouterr().err
    more = [*arguments(network, sources[0]), "--engine", "ray", "--actors", "99"]
    assert main([*more, "--out", str(tmp_path / "more")]) == 2
    assert "Ray has 1 CPUs, 99 actors want 99" in capsys.readouterr().err


def test_a_kill_costs_the_shard_that_it_stops(cluster, network, tmp_path, capsys):
    """The command, as a driver of its own at RAY_ADDRESS, is killed; typed again, it goes on."""
    folder, out = tmp_path / "tars", tmp_path / "out"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02d}.tar").write_bytes(tar(samples(40)))
    command = [*arguments(network, str(folder)), "--out", str(out), "--engine", "ray"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reidkit.cli.main", *command],
        cwd=ROOT, env={**os.environ, "RAY_ADDRESS": cluster},
    )  # fmt: skip
    while len(list((out / "shards").glob("*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    while ray.available_resources().get("CPU") != 1:  # until the actor without a driver has ended
        time.sleep(0.1)
    kept = {n: state for n, state in states(out).items() if not n.startswith(".")}
    finished = [name.removesuffix(".json") for name in kept if name.endswith(".json")]
    assert 2 <= len(finished) < 12
    assert main(command) == 0
    said = capsys.readouterr().out
    assert f"{len(finished)} of 12 shards are there already" in said
    assert f"{out}: 480 images in 12 shards" in said
    after = states(out)
    assert len(after) == 24
    for name in finished:
        for file in (f"{name}.json", f"{name}.parquet"):
            assert after[file] == kept[file]
