"""Ready networks: a name and a file give the same extractor and tests as a run.

``REIDKIT_TEST_WEIGHTS`` names a folder with torchreid's files, ``REIDKIT_TEST_DATA`` a data root
with CUHK01; without them the test of real numbers is skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import reidkit
from reidkit.cli.main import main
from reidkit.engine.ready import open_model
from reidkit.engine.sharing.hub import FILES, snapshot
from reidkit.errors import UserError
from reidkit.evaluation.io.store import read_store
from reidkit.models.heads import FCHead
from reidkit.models.osnet import OSNet
from reidkit.structures import FeatureSpecs

WEIGHTS = Path(os.environ.get("REIDKIT_TEST_WEIGHTS", "/nowhere"))
DATA = Path(os.environ.get("REIDKIT_TEST_DATA", "/nowhere"))
NAME, SMALL = "osnet_x0_25", ["input.size=(64,32)"]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A network with three classes, as torchreid would save it."""
    torch.manual_seed(5)
    net = OSNet(NAME)
    head = FCHead(FeatureSpecs(net.specs, net.default), 3)
    return {**net.state_dict(), **head.state_dict()}


@pytest.fixture(scope="module")
def file(state, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save({"state_dict": {f"module.{n}": v for n, v in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (90, 40, 3), np.uint8) for _ in range(3)]


def test_a_name_and_a_file_are_an_extractor(file, images, state):
    extractor = reidkit.load(NAME, SMALL, weights=file)
    vectors = extractor(images).vectors
    assert vectors.shape == (3, 1, 512) and vectors.dtype == torch.float32
    assert torch.equal(extractor.model.head.fc[0].weight, state["fc.0.weight"])
    distances = extractor.matcher(extractor(images), extractor(images))
    assert torch.equal(distances.argmin(1), torch.arange(3))


def test_a_folder_of_the_hub_is_the_same_network(file, images, state, tmp_path):
    plain = dict(network=NAME, input_size=[64, 32], mean=[0.485, 0.456, 0.406])
    (tmp_path / "config.json").write_text(json.dumps(plain))
    save_file({n: v.contiguous() for n, v in state.items()}, tmp_path / "model.safetensors")
    (tmp_path / "run.py").write_text("raise SystemExit('code of a stranger')")
    wanted = reidkit.load(NAME, SMALL, weights=file)(images).vectors
    assert torch.equal(reidkit.load(tmp_path)(images).vectors, wanted)
    (tmp_path / "config.json").write_text(json.dumps(dict(plain, mean=[0.5, "__import__('os')"])))
    with pytest.raises(UserError, match="names no network; expected"):
        reidkit.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="names no network; expected"):
        reidkit.load(tmp_path)


def test_the_hub_is_asked_for_nothing_that_is_code(monkeypatch, tmp_path):
    asked = []

    def download(name, local_files_only=False, **options):
        asked.append((name, local_files_only, options["allow_patterns"], options["revision"]))
        if local_files_only:
            raise FileNotFoundError("not in the cache")
        return str(tmp_path)

    monkeypatch.delenv("REIDKIT_HUB", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: True)
    assert snapshot("owner/name@v1") == tmp_path
    wanted = list(FILES)
    assert not any(name.endswith((".py", "*")) for name in wanted)
    assert asked == [("owner/name", True, wanted, "v1"), ("owner/name", False, wanted, "v1")]


def test_a_name_without_a_file_says_what_to_place_where(file, images, tmp_path):
    root = [f"settings.data_root={tmp_path}"]
    with pytest.raises(UserError) as error:
        reidkit.load(NAME, root)
    assert f"no weights; name a file with weights=FILE, or place one as {tmp_path}" in str(
        error.value
    )
    (tmp_path / "weights").mkdir()
    (tmp_path / f"weights/{NAME}.pth").write_bytes(file.read_bytes())
    again = reidkit.load(NAME, [*root, *SMALL])(images).vectors
    assert torch.equal(again, reidkit.load(NAME, SMALL, weights=file)(images).vectors)


def test_a_hub_that_does_not_answer(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: False)
    with pytest.raises(UserError, match=r"hf://owner/name: .*\(no network\): download its config"):
        reidkit.load("hf://owner/name")
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    "name, weights, text",
    [
        ("osnet_x0_26", None, "neither a run folder nor a network; did you mean osnet_x0_25"),
        ("osnet_x0_25", "none.pth", "osnet_x0_25: weights=none.pth: no such file"),
        ("osnet_x0_5", "a.pth", "the file holds torchreid's OSNet x0.25 with 3 classes"),
        (".", "a.pth", "a run has its own weights"),
    ],
)
def test_refusals(name, weights, text, file):
    path = str(file.parent / weights) if weights == "a.pth" else weights
    with pytest.raises(UserError, match=text):
        open_model(name, SMALL, path)


@pytest.mark.slow
def test_means_of_networks_that_see_images_from_minus_one_to_one(tmp_path):
    import timm

    name = "vit_tiny_patch16_224"
    whole = timm.create_model(name, num_classes=3)
    state = {f"base.{n}": v for n, v in whole.state_dict().items()}
    state |= {f"bottleneck.{n}": torch.full((192,), 2.0) for n in ("weight", "running_var")}
    state |= {f"bottleneck.{n}": torch.ones(192) for n in ("bias", "running_mean")}
    torch.save(state, tmp_path / "a.pth")
    run = open_model(f"timm/{name}", SMALL, tmp_path / "a.pth")
    assert run.cfg.model.transforms.test.normalize.mean == (0.5, 0.5, 0.5)
    assert torch.equal(run.model.head.neck.weight, torch.full((192,), 2.0))
    assert run.model.backbone.loaded.content.startswith("TransReID's file: a ViT of width 192")


@pytest.mark.slow
def test_test_and_extract_without_a_run(tiny_data, file, tmp_path, capsys):
    root = f"settings.data_root={tiny_data}"
    tested = [NAME, f"weights={file}", "data=synthped_tiny", root, *SMALL]
    more = ["--out", str(tmp_path / "a.json"), "--pictures", str(tmp_path / "ranks")]
    assert main(["test", *tested, *more]) == 0
    said = capsys.readouterr().out
    assert "torchreid's OSNet x0.25 with 3 classes; 558 tensors loaded by name" in said
    table = [line.split() for line in said.splitlines() if line.startswith(("weights", "a.pth"))]
    assert table[0][0] == "weights" and table[1][0] == "a.pth" and "trained on" not in said
    assert main(["extract", *tested, "--out", str(tmp_path / "store")]) == 0
    tests = json.loads((tmp_path / "a.json").read_text())["tests"]
    for name in tests:
        assert (tmp_path / "ranks" / f"ranks_{name}.png").stat().st_size > 10_000
        side = read_store(tmp_path / "store" / name).sides["query"]
        assert side.embedding.vectors.shape[1:] == (1, 512)


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, numbers",
    [
        ("osnet_x0_25_msmt17.pth", (60.2, 62.0, 79.6)),
        ("osnet_x0_25_market1501.pth", (37.1, 35.3, 55.3)),
    ],
)
def test_real_files_on_cuhk01(file, numbers):
    if not (WEIGHTS / file).is_file() or not (DATA / "cuhk01/campus").is_dir():
        pytest.skip("REIDKIT_TEST_WEIGHTS has no such file, or REIDKIT_TEST_DATA no cuhk01/campus")
    run = open_model(NAME, ["data=cuhk01", f"settings.data_root={DATA}"], WEIGHTS / file)
    (test,) = run.test()
    found = [round(100 * test.result.metrics[name], 1) for name in ("mAP", "R1", "R5")]
    assert tuple(found) == numbers
