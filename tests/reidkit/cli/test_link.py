"""``reidkit link``: what cannot be is said before a model is opened."""

import pytest

from reidkit.cli.main import main


@pytest.mark.parametrize(
    "more, reason",
    [
        (["--fmr", "2"], "--fmr must lie between 0 and 1"),
        (["--max-gap", "-1"], "--max-gap must be at least 0"),
        (["--videos", "a.mp4", "b.mp4"], "each file needs its video"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, capsys, more, reason):
    common = ["--videos", "a.mp4", "--model", "none", "--out", str(tmp_path / "out")]
    assert main(["link", str(tmp_path / "a.txt"), *common, *more]) == 2
    assert reason in capsys.readouterr().err
