"""``reidkit plugins``: list, show, check and new."""

from __future__ import annotations

import pytest

from reidkit.cli.main import main
from reidkit.config import prepare_config


def test_list_names_the_broken_ones_too(tmp_path, monkeypatch, capsys):
    (tmp_path / "own" / "foo").mkdir(parents=True)
    (tmp_path / "own" / "foo" / "plugin.yaml").write_text("name: foo\n")
    monkeypatch.setenv("REIDKIT_PLUGIN_PATH", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "list"]) == 0
    out = capsys.readouterr().out
    assert out.split()[:2] == ["eanet", "0.1.0"] and "heads 4" in out
    words = " ".join(out.split())
    assert "foo broken own/foo/plugin.yaml: 4 problems 1. version: missing" in words


def test_show_gives_settings_with_defaults_and_help(capsys):
    assert main(["plugins", "show", "eanet"]) == 0
    out = capsys.readouterr().out
    assert "  settings.eanet.confidence: float = 0.1\n      keypoints above" in out
    assert "  heads: eanet/GlobalHead, eanet/PAPHead" in out


def test_unknown_plugin(capsys):
    assert main(["plugins", "show", "eante"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("no plugin named 'eante'; did you mean 'eanet'? installed: eanet")


def test_a_new_plugin_passes_check_and_its_config_too(world, capsys):
    assert main(["plugins", "new", "my_paper", "--folder", "own"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "own/my_paper: written; try: python tools/plugins.py check my_paper",
        "first: export REIDKIT_PLUGIN_PATH=own",
    ]
    world.search("own")
    assert main(["plugins", "check", "my_paper"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "plugin 'my_paper' 0.1.0 (own/my_paper): imported, registers what it lists",
        "  my_paper/MyPaperHead: documented, built, output, gradients and float64 checked",
        "  my_paper/MyPaperLoss: documented, built, scalar, gradients and float64 checked",
        "2 of 2 components keep their contract",
    ]
    cfg = prepare_config("my_paper/baseline")
    assert cfg.source == "own/my_paper/configs/baseline.py"
    assert cfg.settings.my_paper.temperature == 0.1


def test_check_finds_a_broken_contract(world, capsys):
    main(["plugins", "new", "bad", "--folder", "own"])
    loss = world.root / "own" / "bad" / "loss.py"
    loss.write_text(loss.read_text().replace("return F.cross_", "return 0 * F.cross_"))
    world.search("own")
    capsys.readouterr()
    assert main(["plugins", "check", "bad"]) == 1
    out = capsys.readouterr().out
    assert "  bad/BadLoss: BROKEN: no gradient reaches the inputs\n" in out
    assert out.endswith("1 of 2 components keep their contract\n")


@pytest.mark.parametrize("name", ["My-Paper", "", "9lives"])
def test_names_that_do_not_fit(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", name, "--folder", "own"]) == 2
    assert capsys.readouterr().err == (
        f"{name!r} cannot name a plugin: lower-case letters, digits and underscores, a letter "
        "first\n"
    )
    assert not (tmp_path / "own").exists()
