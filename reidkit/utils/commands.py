"""What can be typed and read here: commands and pages, of the repository or as installed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGES = Path(__file__).parents[2] / "reidkit_docs"  # beside an installed reidkit


def cli_command(command: str) -> str:
    """A command as the user of this process would type it.

    Args:
        command: of ``reidkit`` ("train").

    Example:
        >>> sys.argv, before = ["tools/train.py"], sys.argv
        >>> cli_command("test")
        'python tools/test.py'
        >>> sys.argv = ["/usr/bin/reidkit"]
        >>> cli_command("test")
        'reidkit test'
        >>> sys.argv = before
    """
    return (
        f"python tools/{command.replace('-', '_')}.py" if _in_repository() else f"reidkit {command}"
    )


def examples(text: str) -> str:
    """Examples written for the repository's tools as the user of this process would type them.

    Args:
        text: any text with commands in it.

    Example:
        >>> sys.argv, before = ["/usr/bin/reidkit"], sys.argv
        >>> examples("python tools/train.py configs/mypaper/baseline.py settings.seed=1")
        'reidkit train mypaper/baseline settings.seed=1'
        >>> examples("torchrun --nproc-per-node 4 tools/generate_part_labels.py MSMT17")
        'torchrun --nproc-per-node 4 -m reidkit.cli.main generate-part-labels MSMT17'
        >>> sys.argv = before
    """
    if _in_repository():
        return text

    def command(match: re.Match[str]) -> str:
        start = "reidkit" if match[1] else "-m reidkit.cli.main"
        return f"{start} {match[2].replace('_', '-')}"

    text = re.sub(r"(python )?\btools/(\w+)\.py", command, text)
    return pages(re.sub(r"\bconfigs/(\S+)\.py", r"\1", text))


def pages(text: str) -> str:
    """A text whose pages of the documentation are where the user of this process finds them.

    Args:
        text: any text with "docs/<page>.md" in it.

    Example:
        >>> pages("more: docs/data.md") == "more: docs/data.md" or PAGES.is_dir()
        True
    """
    if not PAGES.is_dir():
        return text
    return re.sub(r"(?<![\w/])docs/([\w/]+\.md)", lambda match: str(PAGES / match[1]), text)


def _in_repository() -> bool:
    tool = Path(sys.argv[0])
    return tool.parent.name == "tools" and tool.suffix == ".py"
