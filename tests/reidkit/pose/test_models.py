import os
import pickle
import urllib.error

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.pose.checkpoint import load_weights
from reidkit.pose.labeller import TopdownLabeller
from reidkit.pose.models import SHIPPED_WEIGHTS, build_model, official_weights, resolve
from reidkit.pose.zoo import SHORT

RTMPOSE = "rtmpose-m_8xb256-420e_coco-256x192"


@pytest.mark.parametrize("config", ["hrnet-w32", "rtmpose-s", RTMPOSE])
def test_models_of_mmpose_build_and_run(config, crop):
    found = TopdownLabeller(config, "random", device="cpu").label([crop(0, 128, 64)])
    assert found.shape == (1, 17, 3)
    assert np.isfinite(found).all()


def test_building_keeps_the_default_scope_of_the_process():
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("reidkit"):
        build_model(resolve("synthped", "random"))
        assert DefaultScope.get_current_instance().scope_name == "reidkit"


def test_unknown_config_suggests():
    with pytest.raises(UserError, match=r"^no pose config 'td-hm_hrnet-w32_8xb64'; did you mean "):
        resolve("td-hm_hrnet-w32_8xb64", None)


def test_official_weights_are_looked_for_and_fetched_only_when_they_are_needed(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked = []

    def download(address, file, prefix):
        asked.append((address, file, prefix))
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for short, name in SHORT.items():
        if short == "vitpose-b":
            continue
        spec = resolve(short, None, tmp_path / "pose")
        assert spec.name == name and spec.address == official_weights(name)
        assert spec.weights.parent == tmp_path / "torch" / "hub" / "checkpoints"
        assert not asked
    labeller = TopdownLabeller("hrnet-w32", settings=dict(data_root=tmp_path))
    with pytest.raises(UserError) as caught:
        labeller.provenance  # noqa: B018
    file = "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth"
    address, wanted, prefix = asked[0]
    assert address.endswith(file) and wanted.endswith(file) and prefix == "81c58e40"
    assert str(caught.value) == (
        f"{file}: the weights of the pose model are not here and could not be fetched (Temporary "
        f"failure in name resolution); put {address} into {tmp_path}/pose/, or import keypoints "
        "that another program found: python tools/generate_part_labels.py DATASET --import FILE"
    )
    assert not list((tmp_path / "torch/hub/checkpoints").iterdir())


@pytest.mark.parametrize(
    "place", ["pose/{file}", "pose/{name}.pth", "torch/hub/checkpoints/{file}"]
)
def test_weights_that_were_put_there_by_hand_are_used(tmp_path, monkeypatch, place):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    file = official_weights(RTMPOSE).rpartition("/")[2]
    there = tmp_path / place.format(file=file, name=RTMPOSE)
    there.parent.mkdir(parents=True)
    there.write_bytes(b"weights")
    spec = resolve("rtmpose-m", None, tmp_path / "pose")
    assert (spec.weights, spec.address) == (there, None)
    assert spec.fetched() is spec


def test_a_network_of_a_package_that_is_missing_is_refused_in_words(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="has a network of mmpretrain, which is not installed: pip"):
        resolve("vitpose-b", None)


def test_the_default_is_that_of_the_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert TopdownLabeller(pictures="synthped").spec.name == "synthped"
    assert TopdownLabeller(pictures="photographs").spec.name == RTMPOSE
    assert TopdownLabeller().spec.name == RTMPOSE


def test_the_shipped_model_labels_photographs_only_when_that_is_said():
    with pytest.raises(UserError, match="made for SynthPed's renderings; .* 40 to 62 %") as caught:
        TopdownLabeller("synthped", pictures="photographs")
    assert "data.labeller.on_photographs=True" in str(caught.value)
    options = dict(pictures="photographs", on_photographs=True)
    assert TopdownLabeller("synthped", **options).spec.name == "synthped"


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        resolve("synthped", str(tmp_path / "no.pth"))
    assert str(caught.value) == f"{tmp_path / 'no.pth'}: no such checkpoint file"


def test_a_bottom_up_config_is_refused(tmp_path):
    file = tmp_path / "bottom.py"
    file.write_text("model = dict(type='BottomupPoseEstimator', backbone=dict(type='ResNet'))")
    with pytest.raises(UserError, match="part labels need a top-down model"):
        build_model(resolve(str(file), "random"))


class _System:
    def __reduce__(self):
        return os.system, ("touch evil_was_here",)


class _Getattr:
    def __reduce__(self):
        return getattr, (dict, "fromkeys")


@pytest.mark.parametrize("evil", [_System(), _Getattr()])
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_checkpoint_that_runs_code_is_refused(tmp_path, monkeypatch, writer, evil):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {"a": torch.zeros(1)}, "meta": evil}
    if writer == "torch":
        torch.save(content, "bad.pth")
    else:
        (tmp_path / "bad.pth").write_bytes(pickle.dumps(content, protocol=2))
    labeller = TopdownLabeller("synthped", "bad.pth", device="cpu")
    with pytest.raises(UserError, match=r"^bad.pth: "):
        labeller.label([np.zeros((8, 4, 3), np.uint8)])
    assert not (tmp_path / "evil_was_here").exists()


@pytest.mark.slow
def test_mmengine_checkpoints_with_history_and_arrays_are_read(tmp_path):
    from mmengine.logging import HistoryBuffer

    model, _ = build_model(resolve("synthped", "random"))
    meta = {"history": HistoryBuffer([1.0], [1]), "array": np.arange(3), "number": np.float64(2)}
    torch.save({"state_dict": model.state_dict(), "meta": meta}, tmp_path / "good.pth")
    other, _ = build_model(resolve("synthped", str(tmp_path / "good.pth")))
    assert HistoryBuffer([2.0, 4.0], [1, 1]).mean() == 3  # the class is as it was
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_weights_that_do_not_fit_are_refused(tmp_path):
    model, _ = build_model(resolve("synthped", "random"))
    weights = model.state_dict()
    first = next(iter(weights))
    torch.save({k: v for k, v in weights.items() if k != first}, tmp_path / "missing.pth")
    with pytest.raises(UserError) as caught:
        load_weights(model, tmp_path / "missing.pth")
    assert str(caught.value) == (
        f"{tmp_path / 'missing.pth'}: does not fit this pose config: 1 weights are missing, "
        f"the first is {first!r}"
    )
    torch.save({**weights, first: torch.zeros(1, 2)}, tmp_path / "shape.pth")
    with pytest.raises(UserError, match="does not fit this pose config: size mismatch for"):
        load_weights(model, tmp_path / "shape.pth")


def test_the_shipped_weights_are_small():
    assert SHIPPED_WEIGHTS.stat().st_size <= 5_000_000
