"""Imports point downwards only, the core knows no plugin, and help texts import nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reidkit

ROOT = Path(__file__).parents[1]
PACKAGE = Path(reidkit.__file__).parent

# lower layers may not import higher ones; those on one level may not import each other,
# except within their own package
LEVELS = {
    "errors": 0, "kinds": 0, "version": 0, "utils": 0, "structures": 0, "registry": 0,
    "runtime": 1,
    "plugin": 1,
    "config": 2,
    "data": 4, "synthped": 5,
    "models": 6, "evaluation": 6, "pose": 6, "viz": 7, "gallery": 7, "tracks": 7,
    "engine": 8,
    "export": 9, "testing": 9, "report": 9, "service": 9,
    "bench": 10,
    "cli": 11,
}  # fmt: skip
SIDEWAYS = {("structures", "registry"), ("utils", "errors"), ("utils", "structures")}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            if node.module == "reidkit":
                yield from ((node.lineno, f"reidkit.{alias.name}") for alias in node.names)


def layer(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "reidkit" and len(parts) > 1 and parts[1] in LEVELS else None


def violations(path: Path, module: str) -> list[str]:
    """Imports of a core file that point upwards, sideways or to a plugin."""
    own, found = layer(module), []
    for line, name in imports(path):
        target = layer(name)
        if name.split(".")[0] in ("reidkit_plugins", "plugins"):
            found.append(f"{module}:{line} imports the plugin {name}")
        if own is None or target is None or target == own or (own, target) in SIDEWAYS:
            continue
        ground = LEVELS[own] == 0 and LEVELS[target] == 0
        if LEVELS[target] >= LEVELS[own] and not ground:
            found.append(f"{module}:{line} imports {name}, which is not below it")
    return found


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "template" in path.parts:  # the project that `plugins new` copies, not the core
            continue
        yield path, ".".join(["reidkit", *path.relative_to(PACKAGE).with_suffix("").parts])


def test_imports_point_downwards():
    found = [text for path, module in modules() for text in violations(path, module)]
    assert not found, "\n".join(found)


def test_every_part_of_the_core_has_a_level():
    parts = {module.split(".")[1] for _, module in modules()} - {"__init__"}
    assert parts <= set(LEVELS), f"without a level: {sorted(parts - set(LEVELS))}"


@pytest.mark.parametrize(
    "module, code, count",
    [
        ("reidkit.data.x", "import reidkit.engine.run", 1),
        ("reidkit.data.x", "def f():\n    from reidkit.models import backbones", 1),
        ("reidkit.evaluation.x", "from reidkit import pose", 1),
        ("reidkit.engine.x", "from reidkit_plugins.eanet import heads", 1),
        ("reidkit.engine.x", "from reidkit.data import Split\nimport torch", 0),
    ],
)
def test_the_rule_sees_violations(tmp_path, module, code, count):
    (tmp_path / "x.py").write_text(code)
    assert len(violations(tmp_path / "x.py", module)) == count


def test_plugins_import_no_other_plugin():
    found = []
    for folder in sorted((ROOT / "plugins").iterdir()):
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else []:
            for line, name in imports(path):
                parts = name.split(".")
                if parts[0] == "reidkit_plugins" and parts[1:2] != [folder.name]:
                    found.append(f"{path.name}:{line} imports {name}")
    assert not found, "\n".join(found)


def imported_by(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has imported after running ``code``."""
    tail = "\nimport sys\nprint('\\n' + ' '.join({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


HELP = """
import sys
sys.argv = ["train.py", "--help"]
try:
    import runpy
    runpy.run_path("tools/train.py", run_name="__main__")
except SystemExit as end:
    assert end.code == 0, end.code
"""


@pytest.mark.parametrize(
    "code, heavy",
    [
        (
            "import reidkit",
            {"mmpose", "torchvision", "torch", "mmengine", "mmcv", "reidkit_plugins"},
        ),
        (HELP, {"mmpose", "torchvision", "torch", "mmcv"}),
        ("import reidkit.config", {"mmpose", "torchvision", "torch", "mmcv"}),
        (
            "from reidkit.cli.main import main\nmain(['plugins', 'list'])",
            {"mmpose", "torchvision", "torch", "mmengine", "mmcv"},
        ),
        ("from reidkit.registry import import_core\nimport_core()", {"mmpose"}),
    ],
    ids=["reidkit", "train --help", "config", "plugins list", "components"],
)
@pytest.mark.slow
def test_heavy_packages_stay_out(code, heavy):
    assert not heavy & imported_by(code)


CHECK = "from reidkit.cli.main import main\nassert main(['train', {name!r}, '--check']) == 0"


@pytest.mark.parametrize(
    "name", ["eanet/pap_st_ps", "jlml/jlml", "qaconv/qaconv_gs", "dgnet/dgnet", "drsa/drsa"]
)
@pytest.mark.slow
def test_a_check_imports_nothing_dear(dear_modules, name):
    assert dear_modules(CHECK.format(name=name)) == set()


@pytest.mark.slow
def test_dear_modules_are_seen(dear_modules):
    assert dear_modules("import mmengine.hooks") >= {"mmengine.hooks", "sympy"}
