"""Checkpoints: plain data is read, anything that would run code is refused."""

import os
import pickle

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint, load_state


class Attack:
    """Unpickling this runs a command."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_checkpoint_that_runs_code_is_refused_and_does_not_run(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "bad.pth"
    torch.save({"state_dict": {}, "meta": Attack(f"touch {mark}")}, path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    assert not mark.exists()
    assert str(caught.value) == (
        f"{path}: refused, because loading it would run code: posix.system. Only tensors, numbers, "
        "text and arrays are read; export the weights as a plain state dict or as safetensors."
    )


def test_a_bare_pickle_is_refused(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "bad.pth"
    path.write_bytes(pickle.dumps(Attack(f"touch {mark}")))
    with pytest.raises(UserError, match="refused|not a complete checkpoint"):
        load_checkpoint(path)
    assert not mark.exists()


def test_tensors_arrays_and_numbers_come_back(tmp_path):
    path = tmp_path / "good.pth"
    content = {"state_dict": {"w": torch.ones(2)}, "meta": {"a": np.arange(3), "b": np.float64(2)}}
    torch.save(content, path)
    back = load_checkpoint(path)
    assert torch.equal(back["state_dict"]["w"], torch.ones(2))
    assert back["meta"]["a"].tolist() == [0, 1, 2] and back["meta"]["b"] == 2
    assert list(load_state(path)) == ["w"]


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "cut.pth"
    torch.save({"w": torch.randn(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="cut.pth: not a complete checkpoint"):
        load_checkpoint(path)


def test_a_missing_file_and_a_file_without_weights(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
    torch.save({"state_dict": {}}, tmp_path / "empty.pth")
    with pytest.raises(UserError, match="holds no state dict"):
        load_state(tmp_path / "empty.pth")


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.ones(3)}, tmp_path / "w.safetensors")
    assert load_state(tmp_path / "w.safetensors")["w"].sum() == 3
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_state(tmp_path / "w.safetensors")


def test_a_changed_byte_is_noticed_or_changes_nothing(tmp_path):
    import random

    generator = torch.Generator().manual_seed(0)
    content = dict(
        state_dict={"a": torch.randn(40, 30, generator=generator), "b": torch.arange(7)},
        meta=dict(epoch=3, note="x" * 50),
    )
    file = tmp_path / "last.pth"
    torch.save(content, file)
    whole, draw = file.read_bytes(), random.Random(0)
    places = [draw.randrange(len(whole)) for _ in range(150)]
    inside = whole.index(content["state_dict"]["a"].numpy().tobytes())
    for place in [*places, inside, inside + 100]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        try:
            got = load_checkpoint(file)
        except UserError:
            continue
        assert place not in (inside, inside + 100)
        assert got["meta"] == content["meta"] and set(got["state_dict"]) == {"a", "b"}
        assert all(torch.equal(got["state_dict"][n], t) for n, t in content["state_dict"].items())


def test_a_damaged_tensor_is_named(tmp_path):
    file = tmp_path / "last.pth"
    torch.save({"a": torch.ones(100)}, file)
    data = bytearray(file.read_bytes())
    data[data.index(torch.ones(100).numpy().tobytes()) + 9] ^= 4
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged, last/data/0 differs from its checksum; copy it"):
        load_checkpoint(file)


def test_an_archive_that_is_larger_inside_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(UserError, match="not an archive as torch.save writes it"):
        load_checkpoint(tmp_path / "bomb.pth")
