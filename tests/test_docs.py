"""Generated pages are what would be generated now."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidkit.cli.main import main
from reidkit.cli.transcript import masked, replay

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[1] / "docs"


def test_components_page(capsys):
    status = main(["docs", "components", "--docs", str(DOCS), "--check"])
    assert status == 0, f"run: python tools/docs.py components\n{capsys.readouterr().out}"


def test_plugins_page(capsys):
    """Every command is run again: a stranger who follows the page sees what it shows."""
    status = main(["docs", "plugins", "--docs", str(DOCS), "--check"])
    assert status == 0, f"run: python tools/docs.py plugins\n{capsys.readouterr().out}"


def test_the_replay_replaces_output_writes_files_and_keeps_the_shell():
    page = """\
text
<!-- file: a/b.txt -->
```
hello
```
```console
$ cd a && export X=1
$ cat b.txt; echo $X; pwd
old
older
$ false || echo "step 1/3 x"; echo "bar: 1/3 so far"; echo "bar: 3/3 done"
```"""
    lines = replay(page).splitlines()
    assert lines[lines.index("```console") :] == [
        "```console",
        "$ cd a && export X=1",
        "$ cat b.txt; echo $X; pwd",
        "hello",
        "1",
        "/home/you/try/a",
        '$ false || echo "step 1/3 x"; echo "bar: 1/3 so far"; echo "bar: 3/3 done"',
        "step 1/3 x",
        "bar: 3/3 done",
        "```",
    ]


def test_masks_hide_numbers_only():
    assert masked("loss 1.25  ETA 0:12\nR1 3") == masked("loss 10.5 ETA 1:02\nR1 44")
    assert masked("loss 1") != masked("lost 1")
    assert masked("gap -0.5 at 1e-05") == masked("gap 12 at 0.001")
    assert masked("mAP  R1\n---------\n9.5   8") == masked("mAP    R1\n-----------\n10.25  8")
    assert masked("| a |\n|---|") != masked("| a |\n| b |")
    assert masked("5 passed in 25.26s") == masked("5 passed in 120.43s (0:02:00)")
    assert masked("device cpu, fp32") == masked("device cpu, bf16") != masked("device cuda, bf16")
