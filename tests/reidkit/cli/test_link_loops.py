"""Links that lead to themselves, in place of what a command reads."""

import pytest

from reidkit.cli.main import main
from reidkit.errors import UserError
from reidkit.utils.checksums import verify


@pytest.mark.parametrize("place", ["f.npz", "l.csv", "out.json"])
def test_evaluate(tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / place).symlink_to(place)
    assert main(["evaluate", "f.npz", "l.csv", "--out", "out.json"]) == 2
    assert "f.npz: no such file" in capsys.readouterr().err


def test_files_of_a_store(tmp_path):
    (tmp_path / "a.npy").symlink_to("a.npy")
    with pytest.raises(UserError, match="a.npy"):
        verify(tmp_path, {"a.npy": "0"}, "extract again")
