"""What a run has recorded, against what a test of it gives now."""

import json
import os

import pytest

from reidkit.cli.test import _compare, _kept
from reidkit.errors import UserError

ONE = dict(query_fingerprint="a", gallery_fingerprint="b", metrics=dict(mAP=0.5))
KEPT = dict(tests=dict(source=ONE))


def test_equal_numbers_of_equal_images(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text(json.dumps(KEPT))
    _compare(tmp_path / "metrics.json", _kept(tmp_path), dict(source=ONE))
    assert "equal to" in capsys.readouterr().out
    with pytest.raises(UserError, match="1 numbers differ"):
        _compare(tmp_path, KEPT, dict(source=dict(ONE, metrics=dict(mAP=0.6))))


def test_other_images_are_not_compared_and_that_is_said(tmp_path, capsys):
    for now in (dict(source=dict(ONE, query_fingerprint="c")), dict(target=ONE)):
        _compare(tmp_path, KEPT, now)
        assert "not compared with" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["{", "[1]", "5", '{"tests": 5}', '{"tests": {"a": 1}}', "[" * 5000, "\udcff"]
)
def test_a_record_that_is_none_ends_in_words(tmp_path, content):
    (tmp_path / "metrics.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="no numbers of a run"):
        _kept(tmp_path)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "endless"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "metrics.json"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no numbers of a run"):
        _kept(tmp_path)


def test_nothing_was_recorded(tmp_path):
    assert _kept(tmp_path) == {}
    (tmp_path / "metrics.json").write_text("{}")
    assert _kept(tmp_path) == {}
