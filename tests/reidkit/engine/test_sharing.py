"""Saved models: the same embeddings, nothing of the machine or of who was trained on, no code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import reidkit
from reidkit.cli.main import main
from reidkit.engine.build import TrainingSet, build_model, classifier_names
from reidkit.engine.run import Run
from reidkit.engine.sharing.hub import pull, push, snapshot
from reidkit.engine.sharing.read import WEIGHTS, open_saved
from reidkit.engine.sharing.write import save_model
from reidkit.errors import UserError
from reidkit.structures import Field, ReIDBatch

SMALL = [
    "input.size=(96,32)",
    "settings.device=cpu",
    "settings.data_root=/home/somebody/data",
    "settings.workers=0",
]
NARROW = ["model.backbone.depth=10", "model.backbone.width=8"]
# one of every plugin: the model that its method ends with
MODELS = {
    "eanet/pcb": NARROW,
    "eanet/pap": NARROW,
    "qaconv/qaconv_gs": NARROW,
    "jlml/jlml": ["model.backbone.width=8"],
    "drsa/drsa": NARROW,
    "dgnet/dgnet": [*NARROW, "model.networks.dim=8", "model.networks.dilations=(1,2,3)"],
}


def a_run(config: str, *overrides: str, folder: Path = Path("a")) -> Run:
    """A model whose numbers are all its own, as if it had been trained on six people."""
    from reidkit.config import prepare_config

    cfg = prepare_config(config, [*SMALL, *overrides])
    run = Run(cfg, folder, torch.device("cpu"))
    run.model = build_model(cfg, TrainingSet(6, (0, 1, 2)), starting_weights=False)
    rng = torch.Generator().manual_seed(7)
    for tensor in run.model.state_dict().values():
        if tensor.is_floating_point():  # variances stay above 0
            tensor.mul_(0.5 + torch.rand(tensor.shape, generator=rng))
    run.model.eval()
    return run


def a_batch(run: Run, count: int = 3) -> ReIDBatch:
    rng = torch.Generator().manual_seed(1)
    height, width = run.cfg.input.size
    images = torch.randint(0, 256, (count, 3, height, width), generator=rng, dtype=torch.uint8)
    joints = torch.rand(count, 17, 3, generator=rng, dtype=torch.float64)
    fields = dict(
        keypoints=Field(joints * torch.tensor([width, height, 1.0])),
        image_sizes=Field(torch.tensor([[height, width]] * count)),
    )
    return ReIDBatch(images, fields=fields)


@pytest.mark.parametrize("config", MODELS)
def test_the_embeddings_of_every_plugins_model(config, tmp_path):
    run = a_run(config, *MODELS[config])
    again = open_saved(save_model(run, tmp_path / "saved"), ["settings.device=cpu"])
    wanted, found = (one.model.embed(a_batch(run))._tensors() for one in (run, again))
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[n], found[n]) for n in wanted)
    left = classifier_names(run.model)
    state = load_file(tmp_path / "saved" / WEIGHTS)
    assert not left & set(state) and len(state) + len(left) == len(run.model.state_dict())
    matched = [one.model.matcher(*[one.model.embed(a_batch(run))] * 2) for one in (run, again)]
    assert torch.equal(*matched)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A small saved model with a calibration."""
    from reidkit.evaluation.calibration import Calibration

    run = a_run("eanet/pcb", *NARROW)
    run.model.matcher.calibration = Calibration(3.0, 1.0)
    return save_model(run, tmp_path_factory.mktemp("share") / "mine", licence="mit")


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_what_is_in_the_folder(saved):
    names = {file.name for file in saved.iterdir()}
    assert names == {"config.json", WEIGHTS, "calibration.json", "README.md"}
    content = json.loads((saved / "config.json").read_text())
    assert content["plugins"] == {"eanet": "0.1.0"} and content["reidkit"] == reidkit.__version__
    assert content["training_set"] == dict(num_identities=1, cameras=[])
    assert "somebody" not in (saved / "config.json").read_text()
    card = (saved / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\nlibrary_name: reidkit\n")
    assert "eanet/PCBHead" in card and "arXiv 1812.11369" in card and "not been tested" in card
    extractor = reidkit.load(saved, ["settings.device=cpu"])
    assert extractor.matcher.calibration.slope == 3.0
    assert extractor([np.zeros((90, 40, 3), np.uint8)]).vectors.shape == (1, 6, 64)


def test_a_card_with_the_numbers_of_the_run(tmp_path):
    from reidkit.engine.folder import write_json
    from reidkit.evaluation.io.queries import write_queries

    test = dict(
        data="toy", protocol="market-v1", metrics=dict(mAP=0.5, R1=0.75), n_valid=4, n_gallery=9,
        query_fingerprint="aabbccddee", gallery_fingerprint="1122334455", policy="drop",
        verification=dict(tar_at_far=[dict(far=0.01, threshold=0.25, reached=0.01, tar=0.5)]),
    )  # fmt: skip
    kept = dict(trained_on="people", trained_on_fingerprint="f" * 64, seed=3, tests=dict(a=test))
    write_json(tmp_path / "run" / "metrics.json", kept)
    columns = dict(
        AP=np.array([0.2, 0.4, 0.6, 0.8]), first_rank=np.array([1, 1, 1, 2]),
        n_positives=np.ones(4, int), query=np.arange(4),
    )  # fmt: skip
    write_queries(tmp_path / "run" / "queries_a.csv", columns)
    run = a_run("eanet/pcb", *NARROW, folder=tmp_path / "run")
    cite = "@misc{me,\n title={Mine}\n}"
    card = (save_model(run, tmp_path / "saved", cite=cite) / "README.md").read_text()
    assert "| trained on | people, fingerprint ffffffffffffffff |" in card
    assert (
        "| toy | market-v1 | 50.0 (30.0, 70.0) | 75.0 (25.0, 100.0) | 4 | 9 | aabbccdd/11223344"
        in card
    )
    assert "| toy | FAR 0.01 | 0.2500 | 50.0 % of genuine pairs |" in card
    assert "stated no licence" in card and "@misc{me," in card and "license:" not in card


def test_nothing_in_the_folder_is_executed(copy, tmp_path):
    file = copy / "config.json"
    content = json.loads(file.read_text())
    pose = tmp_path / "pose.py"
    pose.write_text("raise SystemExit('code of a stranger')")
    content["config"]["data"]["labeller"]["config"] = str(pose)
    file.write_text(json.dumps(content))
    (copy / "sitecustomize.py").write_text("raise SystemExit('code of a stranger')")
    with pytest.raises(UserError, match=r"data\.labeller\.config=.*pose\.py: a Python file"):
        open_saved(copy)


def broken(copy: Path, **changes) -> Path:
    content = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**content, **changes}))
    return copy


def test_refusals(copy, saved, tmp_path):
    with pytest.raises(UserError, match=r"format 99; this reidkit .* reads up to 1"):
        reidkit.load(broken(copy, format=99))
    with pytest.raises(
        UserError, match="training_set: expected num_identities, a whole number from 1"
    ):
        reidkit.load(broken(copy, format=1, training_set=dict(num_identities="6", cameras=[])))
    with pytest.raises(UserError, match="tensors do not fit the config .first: backbone.bn1.bias"):
        reidkit.load(saved, ["model.backbone.width=16"])
    with pytest.raises(UserError, match="a saved model has its own weights"):
        reidkit.load(saved, weights="a.pth")
    with pytest.raises(UserError, match="holds a saved model; replace it with --replace"):
        save_model(saved, copy)
    with pytest.raises(UserError, match="holds something else; choose an empty folder"):
        save_model(saved, tmp_path, replace=True)
    with pytest.raises(UserError, match="save takes an extractor"):
        save_model(3, tmp_path / "new")
    assert save_model(saved, copy, replace=True) == copy
    state = load_file(copy / WEIGHTS)
    state["backbone.conv1.weight"].fill_(float("nan"))
    save_file(state, copy / WEIGHTS)
    with pytest.raises(UserError, match="holds what is no number"):
        reidkit.load(copy)
    (copy / WEIGHTS).unlink()
    with pytest.raises(UserError, match="a saved model without model.safetensors"):
        reidkit.load(copy)


def test_a_plugin_that_is_missing_is_named_with_its_version(copy):
    content = json.loads((copy / "config.json").read_text())
    text = json.dumps(content).replace("eanet", "nowhere")
    (copy / "config.json").write_text(text)
    with pytest.raises(UserError) as error:
        reidkit.load(copy)
    assert "nowhere" in str(error.value)
    assert error.value.__notes__ == [
        f"{copy / 'config.json'} was saved with reidkit {reidkit.__version__}, nowhere 0.1.0"
    ]


def test_a_folder_as_hub(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REIDKIT_HUB", str(tmp_path / "hub"))
    (Path(saved) / "notes.py").write_text("print('not for others')")
    assert main(["push", str(saved), "team/mine"]) == 0
    assert 'reidkit.load("hf://team/mine")' in capsys.readouterr().out
    sent = {file.name for file in (tmp_path / "hub/team/mine").iterdir()}
    assert sent == {"config.json", WEIGHTS, "calibration.json", "README.md"}
    (Path(saved) / "notes.py").unlink()
    images = [np.full((90, 40, 3), 99, np.uint8)]
    device = ["settings.device=cpu"]
    wanted = reidkit.load(saved, device)(images).vectors
    assert torch.equal(reidkit.load("hf://team/mine", device)(images).vectors, wanted)
    assert main(["pull", "team/mine", str(tmp_path / "got")]) == 0
    assert torch.equal(reidkit.load(tmp_path / "got", device)(images).vectors, wanted)
    with pytest.raises(UserError, match="holds something; choose a new folder"):
        pull("team/mine", tmp_path / "got")
    with pytest.raises(UserError, match=r"hf://team/other: no folder .*hub/team/other"):
        reidkit.load("hf://team/other")
    with pytest.raises(UserError, match="expected <owner>/<name>"):
        push(saved, "../mine")
    with pytest.raises(UserError, match="which keeps no revisions"):
        snapshot("team/mine@v1")


def test_what_the_hub_is_sent(saved, monkeypatch):
    calls = []

    class Api:
        def create_repo(self, name, **options):
            calls.append((name, options))
            return f"https://hub/{name}"

        def upload_folder(self, **options):
            calls.append(options)

    monkeypatch.delenv("REIDKIT_HUB", raising=False)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: True)
    assert push(saved, "me/mine", private=True) == "https://hub/me/mine"
    assert calls[0] == ("me/mine", dict(private=True, exist_ok=True))
    assert calls[1]["folder_path"] == str(saved) and "*.py" not in calls[1]["allow_patterns"]
    monkeypatch.setattr("reidkit.models.weights.library.answers", lambda address: False)
    with pytest.raises(UserError, match="the hub does not answer; REIDKIT_HUB=FOLDER"):
        push(saved, "me/mine")


@pytest.mark.network
@pytest.mark.skipif("REIDKIT_TEST_NETWORK" not in os.environ, reason="asks the hub")
def test_a_model_of_the_real_hub():
    folder = snapshot("timm/resnet10t.c3_in1k")
    assert (folder / "config.json").is_file() and list(folder.glob("*.safetensors"))


ROBOFLOW = dict(
    architecture="osnet_x0_25",
    preprocessing=dict(
        input_size=[64, 32], mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225],
        interpolation="bilinear", to_rgb=True, resize_mode="stretch", pad_value=114,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def osnet(tmp_path_factory) -> Path:
    """An OSNet with its embedding layer, saved: a folder of both libraries."""
    run = a_run("_base_/ready", "model.backbone=torchreid/osnet_x0_25", "input.size=(64,32)")
    return save_model(run, tmp_path_factory.mktemp("osnet") / "osnet")


def test_a_folder_of_roboflows_reid(osnet, tmp_path):
    assert json.loads((osnet / "reid_config.json").read_text()) == ROBOFLOW
    assert "Roboflow" in (osnet / "README.md").read_text()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("reid_config.json", "weights.safetensors"):
        shutil.copy(osnet / name, theirs)
    crop = [np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)]  # nothing to resize
    ours = reidkit.load(osnet, ["settings.device=cpu"])(crop).vectors
    found = reidkit.load(theirs, ["settings.device=cpu"])
    assert found.cfg.input.resize == "pil" and torch.equal(found(crop).vectors, ours)


@pytest.mark.parametrize(
    "change, text",
    [
        (dict(architecture="fastreid_sbs_resnest50"), "architecture 'fastreid_sbs_resnest50'"),
        (dict(preprocessing=dict(resize_mode="letterbox")), "letterbox and bilinear"),
        (dict(preprocessing=dict(mean=["os"] * 3)), "not a config of reid"),
        (dict(architecture=3), "not a config of reid"),
    ],
)
def test_folders_of_reid_that_are_refused(tmp_path, change, text):
    (tmp_path / "reid_config.json").write_text(json.dumps({**ROBOFLOW, **change}))
    with pytest.raises(UserError, match=text):
        reidkit.load(tmp_path)
