"""Every shipped config, with every recipe it has, is checked as ``--check`` does."""

from __future__ import annotations

import pytest

from reidkit.config import check_config, config_names, config_path, load_config, render
from reidkit.config.files import configs_folder
from reidkit.config.load import group_path
from reidkit.errors import UserError
from reidkit.plugin import discover

NAMES = sorted(config_names())
DATA = sorted(p.stem for p in (configs_folder() / "_base_/data").glob("[!_]*.py"))


def recipes(name: str) -> list[str]:
    """The recipes of a config among quick and paper."""
    found = []
    for recipe in ("quick", "paper"):
        try:
            group_path(config_path(name), "recipe", recipe)
            found.append(recipe)
        except UserError:
            pass
    return found


CASES = [(name, recipe) for name in NAMES for recipe in recipes(name)]


def test_every_plugin_has_configs_and_every_config_a_quick_recipe():
    shipped = [name for name, m in discover().plugins.items() if m.origin == "shipped"]
    assert shipped and {name.split("/")[0] for name in NAMES} >= set(shipped)
    assert {name for name, recipe in CASES if recipe == "quick"} == set(NAMES)


@pytest.mark.parametrize("name, recipe", CASES)
def test_config_has_no_problems_and_reads_back(name, recipe, tmp_path):
    cfg = load_config(name, [f"recipe={recipe}"])
    assert [str(problem) for problem in check_config(cfg)] == []
    (tmp_path / "config.py").write_text(render(cfg))
    assert render(load_config(tmp_path / "config.py")) == render(cfg)


@pytest.mark.parametrize("data", DATA)
def test_data_groups(data):
    cfg = load_config("eanet/pap" if "_to_" not in data else "eanet/pap_st_ps", [f"data={data}"])
    assert [str(problem) for problem in check_config(cfg)] == []
