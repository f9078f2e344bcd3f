"""The documentation site builds without a warning, and its pages lead where they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reidkit.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])


@pytest.mark.slow
def test_the_site_is_built_without_warnings(tmp_path):
    for name in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(name, reason=f"{name}: make site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "api.html").read_text()
    assert "ranking_metrics" in page and "(Q, G)" in page  # shapes of the docstrings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_have_one(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if "://" in link or link.startswith(("#", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Headings of a page as links name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    words = (re.sub(r"[^\w\s-]", "", title.lower().replace("`", "")) for title in titles)
    return {re.sub(r"\s", "-", text.strip()) for text in words}


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert page.stem in ("index",) or re.search(rf"^{page.stem}$", index, re.M), page
    for page in ROOT.glob("docs/start/*.md"):
        assert f"start/{page.stem}" in index, page


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/start/*.md")), ids=lambda page: page.stem)
def test_quickstarts_name_commands_configs_and_plugins_that_are_there(page):
    from reidkit.config import prepare_config

    lines = re.findall(r"^reidkit (.+)$", page.read_text(encoding="utf-8"), re.M)
    for line in lines:
        command, *rest = line.split()
        assert command in COMMANDS, line
        if command == "train" and "mypaper" not in rest[0]:
            own = [one for one in rest[1:] if "=" in one and one != "data=mine"]
            prepare_config(rest[0], own)


def test_the_citation_names_this_version():
    import yaml

    from reidkit.version import __version__

    known = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert known["version"] == __version__ and known["cff-version"] == "1.2.0"
    assert known["title"] and known["authors"] and known["license"] == "Apache-2.0"
