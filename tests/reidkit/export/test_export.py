"""Exported files give the model's embeddings, on every format, and say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.cli.main import main
from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.run import Run
from reidkit.engine.sharing.write import save_model
from reidkit.errors import UserError
from reidkit.export import tracing
from reidkit.export.export import Options, export_model
from reidkit.export.verify import drawn_crops, drawn_joints
from reidkit.runtime import Runtime

for name in tracing.NEEDS["onnx"]:
    pytest.importorskip(name, reason=f"exports need {name}: reidkit[export]")

SMALL = ["input.size=(96,32)", "settings.device=cpu", "settings.workers=0", "settings.seed=1"]
NARROW = ["model.backbone.depth=10", "model.backbone.width=8"]


def a_run(config: str, *overrides: str) -> Run:
    cfg = prepare_config(config, [*SMALL, *overrides])
    run = Run(cfg, Path("nowhere"), torch.device("cpu"))
    run.model = build_model(cfg, TrainingSet(3, (0, 1)), starting_weights=False).eval()
    return run


@pytest.fixture(scope="module")
def pcb(tmp_path_factory) -> tuple[Path, Path]:
    """A saved model of six parts, and its ONNX file for crops of any size."""
    folder = tmp_path_factory.mktemp("export")
    saved = save_model(a_run("eanet/pcb", *NARROW), folder / "pcb")
    assert main(["export", str(saved), "--out", str(folder / "onnx"), "--input", "uint8"]) == 0
    return saved, folder / "onnx"


@pytest.mark.slow
def test_the_folder_and_its_card(pcb):
    names = {file.name for file in pcb[1].iterdir()}
    assert names == {"model.onnx", "export.json", "README.md"}
    facts = json.loads((pcb[1] / "export.json").read_text())
    assert facts["gap"]["embedding"] < 1e-4 and facts["parts"] == 6 and not facts["lengths"]
    card = (pcb[1] / "README.md").read_text()
    assert "| images | (N, 3, H, W) uint8 RGB, 0..255 | in |" in card
    assert "| embedding | (N, 384) float32 | out |" in card
    assert "resized to 96x32" in card and "mAP was not compared" in card


@pytest.mark.slow
def test_the_runtime_needs_no_torch(pcb, tmp_path):
    import reidkit

    crops = drawn_crops(7)
    np.savez(tmp_path / "crops.npz", *crops)
    code = f"""
import sys
import numpy as np
from reidkit.runtime import Runtime
crops = list(np.load({str(tmp_path / "crops.npz")!r}).values())
np.save({str(tmp_path / "out.npy")!r}, Runtime({str(pcb[1] / "model.onnx")!r})(crops)["embedding"])
heavy = {{"torch", "torchvision", "mmengine", "mmcv", "cv2", "scipy", "PIL"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npy")
    extractor = reidkit.load(pcb[0], ["settings.device=cpu"])
    wanted = extractor.matcher(extractor(crops), extractor(crops)).numpy()
    assert np.abs((1 - found @ found.T) - wanted).max() < 1e-3


@pytest.mark.slow
def test_what_the_runtime_refuses(pcb, tmp_path):
    model = Runtime(pcb[1] / "model.onnx")
    with pytest.raises(ValueError, match="expected crops"):
        model([np.zeros((4, 4), np.uint8)])
    with pytest.raises(ValueError, match="expected crops"):
        model([])
    with pytest.raises(UserError, match="no such file"):
        Runtime(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="onnxruntime cannot run it"):
        Runtime(tmp_path / "bad.onnx")


@pytest.mark.slow
def test_parts_with_keypoints_in_eight_bits_and_in_float(tmp_path, monkeypatch):
    """int8 begins with the float32 file, which is looked at on its way."""
    run = a_run("eanet/pap", *NARROW)
    crops = drawn_crops(6)
    monkeypatch.setattr("reidkit.export.export.test_crops", lambda run, n: (crops, "a test"))
    kept = {}

    def to_eight_bits(source, file, inputs):
        from reidkit.export.numbers import to_eight_bits

        model = Runtime(source)
        out = model(crops, drawn_joints(crops).numpy())
        kept.update({name: torch.from_numpy(value) for name, value in out.items()})
        with pytest.raises(ValueError, match="this model takes keypoints"):
            model(crops)
        to_eight_bits(source, file, inputs)

    monkeypatch.setattr(
        "reidkit.export.export.numbers", type("Numbers", (), dict(to_eight_bits=to_eight_bits))
    )
    facts = export_model(run, tmp_path / "a", Options(bits="int8"), lambda line: None)
    assert facts["compared_on"] == "a test" and facts["keypoints"]
    assert 1e-6 < facts["gap"]["embedding"] < 0.2 and facts["gap"]["visibility"] == 0
    from reidkit.export.graph import Graph
    from reidkit.export.verify import _batch, _gap

    graph = Graph(run.model, (96, 32), unit=True)
    for row, (crop, joints) in enumerate(zip(crops, drawn_joints(crops), strict=True)):
        wanted = graph.flat(run.model.embed(_batch(run, crop, joints)))
        for name, value in wanted.items():
            assert _gap(name, value, kept[name][row : row + 1]) < 1e-4


@pytest.mark.slow
def test_maps_through_openvino(tmp_path):
    pytest.importorskip("openvino", reason="needs openvino: reidkit[export]")
    run = a_run("qaconv/qaconv_gs", *NARROW)
    facts = export_model(
        run, tmp_path / "a", Options("openvino", any_size=False), lambda line: None
    )
    assert {f.name for f in (tmp_path / "a").glob("model.*")} == {"model.xml", "model.bin"}
    assert list(facts["outputs"]) == ["maps"] and facts["gap"]["maps"] < 1e-4
    assert "There is no vector" in (tmp_path / "a/README.md").read_text()


@pytest.mark.slow
def test_one_of_torch_export_of_the_networks_size_on_the_runs_own_test(tmp_path, tiny_synthped):
    run = a_run(
        "jlml/jlml",
        "model.backbone.width=8",
        "data=synthped_tiny",
        f"settings.data_root={tiny_synthped}",
        'data.tests=["source"]',
    )
    options = Options("torch_export", any_size=False, test=True)
    facts = export_model(run, tmp_path / "a", options, lambda line: None)
    assert facts["gap"]["embedding"] < 1e-4
    assert abs(facts["test"]["source"]["difference"]) <= 0.02


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="to must be one of onnx, torch_export, openvino"):
        Options("tflite")
    with pytest.raises(UserError, match="fp16 is for onnx and openvino"):
        Options("torch_export", "fp16")
    monkeypatch.setitem(tracing.NEEDS, "onnx", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match=r"needs no_such_package: .*'reidkit\[export\]'"):
        tracing.refuse_missing("onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="exists and is not empty"):
        export_model(a_run("eanet/pcb", *NARROW), tmp_path, Options("torch_export"))
