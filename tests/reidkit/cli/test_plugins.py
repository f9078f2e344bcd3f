"""``reidkit plugins``: list, show, where, check and new."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reidkit.cli.main import main
from reidkit.config import prepare_config
from reidkit.plugin import discover
from reidkit.plugin.new import TEMPLATE
from reidkit.testing import check_plugin

ROOT = Path(__file__).parents[3]


def test_list_names_the_broken_ones_too(tmp_path, monkeypatch, capsys):
    (tmp_path / "own" / "foo").mkdir(parents=True)
    (tmp_path / "own" / "foo" / "plugin.yaml").write_text("name: foo\n")
    monkeypatch.setenv("REIDKIT_PLUGIN_PATH", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "list"]) == 0
    out = capsys.readouterr().out
    words = " ".join(out.split())
    assert "eanet 0.1.0 datasets 1, heads 4" in words
    assert "foo broken own/foo/plugin.yaml: 4 problems 1. version: missing" in words


def test_show_gives_settings_with_defaults_and_help(capsys):
    assert main(["plugins", "show", "eanet"]) == 0
    out = capsys.readouterr().out
    assert (
        "  settings.eanet.confidence: float = 0.1 (at least 0 and at most 1)\n      keypoints"
        in out
    )
    assert "paper: title EANet: " in out and "requires: nothing more" in out
    assert "configs: eanet/global_pool, eanet/pap, " in out


def test_unknown_plugin(capsys):
    assert main(["plugins", "show", "eante"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("no plugin named 'eante'; did you mean 'eanet'? installed: ")


def test_show_gives_components_with_options_and_docs(capsys):
    assert main(["plugins", "show", "eanet"]) == 0
    out = capsys.readouterr().out
    assert (
        "  eanet/PAPHead   (head)\n"
        '      options: regions: int = 9, dim: int = 256, pool: str = "max"\n'
        "      supplied by the framework: features, num_identities\n"
        "      One embedding per body region: part aligned pooling.\n"
    ) in out


def test_show_one_component(capsys):
    assert main(["plugins", "show", "eanet/PAPHead"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("eanet/PAPHead   (head)\noptions: regions: int = 9")
    assert "arXiv 1812.11369" in out


def test_a_plugin_that_cannot_be_loaded_is_shown_as_far_as_its_manifest_goes(world, capsys):
    world.plugin("foo", files={"__init__.py": "raise RuntimeError('boom')\n"})
    world.search("path")
    assert main(["plugins", "show", "foo"]) == 0
    out = capsys.readouterr().out
    assert "components:\n  matchers: foo/Good\ncannot be loaded: plugin 'foo' 0.3" in out


def test_where(capsys):
    for name in ("PAPHead", "eanet/PAPHead"):
        assert main(["plugins", "where", name]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"eanet/PAPHead   head   \S*eanet/heads\.py:\d+", line)
    assert main(["plugins", "where", "timm/resnet18"]) == 0
    assert capsys.readouterr().out.startswith("TimmBackbone   backbone   ")
    assert main(["plugins", "where", "PAPHed"]) == 2
    assert capsys.readouterr().err == (
        "no component named 'PAPHed'; did you mean 'eanet/PAPHead'?\n"
    )


def test_list_imports_neither_torch_nor_a_plugin(tmp_path):
    code = (
        "import sys\nfrom reidkit.cli.main import main\nmain(['plugins', 'list'])\n"
        "heavy = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose', 'numpy', 'cv2', 'timm'}\n"
        "tops = {name.split('.')[0] for name in sys.modules}\n"
        "plugins = {n for n in sys.modules if n.startswith('reidkit_plugins.')}\n"
        "print(sorted(heavy & tops), sorted(plugins))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert any(line.startswith("eanet") for line in lines) and lines[-1] == "[] []"


def test_a_new_project_passes_check_and_its_config_too(world, capsys):
    assert main(["plugins", "new", "my_paper"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "my_paper: written",
        "next:  export REIDKIT_PLUGIN_PATH=$PWD/my_paper",
        "       reidkit plugins check my_paper",
        "       reidkit train my_paper/baseline",
    ]
    project = world.root / "my_paper"
    written = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
    assert written == {
        ".github/workflows/check.yml", ".gitignore", "README.md", "pyproject.toml",
        "my_paper/__init__.py", "my_paper/configs/baseline.py",
        "my_paper/configs/recipe/quick.py", "my_paper/head.py", "my_paper/loss.py",
        "my_paper/README.md", "my_paper/plugin.yaml", "tests/conftest.py", "tests/test_my_paper.py",
    }  # fmt: skip
    for file in project.rglob("*.y*ml"):
        assert yaml.safe_load(file.read_text())
    world.search("my_paper")
    assert main(["plugins", "check", "my_paper"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "plugin 'my_paper' 0.1.0 (my_paper/my_paper)",
        "  plugin.yaml: imported, registers what it lists",
        "  my_paper/MyPaperHead: documented, built, output, gradients and float64 checked",
        "  my_paper/MyPaperLoss: documented, built, scalar, gradients and float64 checked",
        "  my_paper/baseline: no problems with recipe quick; its parts run on each other",
        "  README.md: there",
        "  docstring of the package: MyPaper: what the method does, in one sentence.",
        "  docstrings: 6 of 6 examples run",
        "  note: template text is left in __init__.py: what the method does, in one sentence",
        '  note: template text is left in plugin.yaml: title: ""',
        "  note: template text is left in README.md: What the method claims, in two sentences",
        "7 of 7 checks passed",
    ]
    cfg = prepare_config("my_paper/baseline", ["settings.my_paper.temperature=0.5"])
    assert cfg.source == "my_paper/my_paper/configs/baseline.py"
    assert cfg.settings.my_paper.temperature == 0.5
    from reidkit.engine.build import TrainingSet, build_model

    model = build_model(cfg, TrainingSet(3))
    assert model.losses["id"].loss.temperature == 0.5  # the setting arrives


def test_the_template_is_itself_a_plugin_that_passes_check(world, capsys):
    world.patch.setenv("REIDKIT_PLUGIN_PATH", str(TEMPLATE))
    assert main(["plugins", "check", "mypaper"]) == 0
    assert capsys.readouterr().out.endswith("7 of 7 checks passed\n")


def test_a_bare_plugin_in_a_folder_of_plugins(world, capsys):
    assert main(["plugins", "new", "my_paper", "--folder", "own", "--bare"]) == 0
    assert (world.root / "own" / "my_paper" / "plugin.yaml").is_file()
    assert not (world.root / "own" / "my_paper" / "pyproject.toml").exists()
    assert "next:  export REIDKIT_PLUGIN_PATH=$PWD/own" in capsys.readouterr().out


def test_names_that_are_taken(world, capsys):
    assert main(["plugins", "new", "eanet"]) == 2
    assert "a plugin named 'eanet' is there already (" in capsys.readouterr().err
    assert main(["plugins", "new", "timm"]) == 2
    assert capsys.readouterr().err == (
        "'timm' cannot name a plugin: timm/<network> names the backbones of that library\n"
    )


def test_check_finds_a_broken_contract(world, capsys):
    main(["plugins", "new", "bad", "--folder", "own", "--bare"])
    loss = world.root / "own" / "bad" / "loss.py"
    loss.write_text(loss.read_text().replace("return F.cross_", "return 0 * F.cross_"))
    world.search("own")
    capsys.readouterr()
    assert main(["plugins", "check", "bad"]) == 1
    out = capsys.readouterr().out
    assert "  bad/BadLoss: BROKEN: no gradient reaches the inputs\n" in out
    assert (
        (
            "  docstrings: BROKEN: 5 of 6 examples run\n"
            "    loss.py, line 27: BadLoss(temperature=0.5)(torch.tensor([[[1.0, 0.0]]]), "
            "torch.tensor([0]))\n"
            "      expected: tensor(0.1269)\n"
            "      got: tensor(0.)\n"
        )
        in out
        and "Traceback" not in out
        and "****" not in out
    )
    assert out.endswith("5 of 7 checks passed\n")


@pytest.mark.parametrize("name", ["My-Paper", "", "9lives"])
def test_names_that_do_not_fit(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", name, "--folder", "own"]) == 2
    assert capsys.readouterr().err == (
        f"{name!r} cannot name a plugin: lower-case letters, digits and underscores, a letter "
        "first\n"
    )
    assert not (tmp_path / "own").exists()


def test_a_plugin_that_lies_here_but_is_not_searched(world, capsys):
    main(["plugins", "new", "my_paper"])
    main(["plugins", "new", "other", "--bare"])
    capsys.readouterr()
    for name, place, where in (
        ("my_paper", "my_paper/my_paper", "$PWD/my_paper"),
        ("other", "other", "$PWD"),
    ):
        assert main(["plugins", "check", name]) == 2
        assert capsys.readouterr().err == (
            f"no plugin named {name!r}; installed: {', '.join(discover().plugins)}\n"
            f"  it lies in {place}, which is not searched: export REIDKIT_PLUGIN_PATH={where}\n"
        )
    assert main(["train", "my_paper/baseline", "--check"]) == 2
    assert capsys.readouterr().err.endswith(
        "it lies in my_paper/my_paper, which is not searched: export "
        "REIDKIT_PLUGIN_PATH=$PWD/my_paper\n"
    )
    world.search("my_paper")
    assert main(["train", "my_paper/basline", "--check"]) == 2
    assert "did you mean 'my_paper/baseline'? available: " in capsys.readouterr().err


SEARCHED = f"(entries are separated by {os.pathsep!r})"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("absent", f"no folder absent {SEARCHED}"),
        ("own;more", f"no folder own;more {SEARCHED}"),
        ("empty", f"no plugin in empty, that is no empty/<name>/plugin.yaml {SEARCHED}"),
        (".", f"no plugin in ., that is no ./<name>/plugin.yaml; own holds one {SEARCHED}"),
        ("own/foo", f"own/foo is a plugin itself; name the folder that it lies in {SEARCHED}"),
    ],
)
def test_entries_of_the_search_path_where_nothing_is_found(world, capsys, path, said):
    world.plugin("foo", "own")
    (world.root / "empty").mkdir()
    world.patch.setenv("REIDKIT_PLUGIN_PATH", os.pathsep.join(["own", path]))
    assert main(["plugins", "list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"REIDKIT_PLUGIN_PATH: {said}"
    assert any(line.startswith("foo ") for line in out[:-1])
    assert main(["plugins", "check", "bar"]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [f"  REIDKIT_PLUGIN_PATH: {said}"]
    assert main(["train", "bar/baseline", "--check"]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [f"  REIDKIT_PLUGIN_PATH: {said}"]


def test_a_search_path_that_is_right_is_not_mentioned(world, capsys):
    world.plugin("foo", "own")
    world.search("own")
    assert main(["plugins", "list"]) == 0
    assert "(entries" not in capsys.readouterr().out


def test_an_example_that_raises_is_told_in_three_lines(world, capsys):
    main(["plugins", "new", "bad", "--folder", "own", "--bare"])
    head = world.root / "own" / "bad" / "head.py"
    head.write_text(
        head.read_text().replace("num_identities=5, dim=4)", "num_identities=5, dims=4)")
    )
    world.search("own")
    capsys.readouterr()
    assert main(["plugins", "check", "bad"]) == 1
    assert (
        "  docstrings: BROKEN: 3 of 6 examples run\n"
        '    head.py, line 28: head = BadHead({"map": FeatureSpec(8, 16)}, num_identities=5, '
        "dims=4)\n"
        "      expected: nothing\n"
        "      got: TypeError: BadHead.__init__() got an unexpected keyword argument 'dims'\n"
        "    head.py, line 29: "
    ) in capsys.readouterr().out


def test_logits_without_parts_are_refused_in_words(world, capsys):
    main(["plugins", "new", "bad", "--folder", "own", "--bare"])
    head = world.root / "own" / "bad" / "head.py"
    head.write_text(
        head.read_text().replace("self.classifier(vector).unsqueeze(1)", "self.classifier(vector)")
    )
    world.search("own")
    capsys.readouterr()
    assert main(["plugins", "check", "bad"]) == 1
    out = capsys.readouterr().out
    assert "  bad/BadHead: BROKEN: logits are (8, 5); (N, P, K) is wanted" in out
    assert (
        "logits[:, None] makes them one part\n" in out
    )  # of the config, where they are trained on


@pytest.mark.slow
def test_nothing_is_noted_of_a_plugin_in_its_own_words(capsys):
    assert not check_plugin("eanet").notes


@pytest.mark.slow
def test_the_tests_of_a_new_project_end_without_a_warning(world):
    main(["plugins", "new", "my_paper"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "loss_by_hand"],
        cwd=world.root / "my_paper",
        env={
            **{n: v for n, v in os.environ.items() if n != "PYTHONWARNINGS"},
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
        capture_output=True,
        text=True,
    )
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"3 passed, 2 deselected in [\d.]+s", last), done.stdout
