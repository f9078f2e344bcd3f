"""``reidkit docs``: the pages that are made from the registries and from commands that are run."""

from __future__ import annotations

import difflib
from pathlib import Path

from reidkit.cli.common import parser
from reidkit.plugin.errors import display_path
from reidkit.utils.io import atomic_write

EXAMPLES = """examples:
  python tools/docs.py components            # docs/components.md, from the registries
  python tools/docs.py plugins               # docs/plugins.md: runs every command in it (minutes)
  python tools/docs.py components --check    # writes nothing; status 1 when the page is old"""


def main(argv: list[str]) -> int:
    """Write one page, or compare it with what would be written."""
    command = parser("reidkit docs", "Make the pages that are generated.", EXAMPLES)
    command.add_argument("page", choices=["components", "plugins"])
    command.add_argument("--docs", default="docs", help="folder of the pages")
    command.add_argument("--check", action="store_true", help="compare instead of writing")
    args = command.parse_args(argv)
    path = Path(args.docs) / f"{args.page}.md"
    if args.page == "components":
        from reidkit.cli.components_page import components_page

        old = path.read_text(encoding="utf-8") if path.is_file() else ""
        new = components_page()
    else:
        from reidkit.cli.transcript import masked, replay

        old = path.read_text(encoding="utf-8")
        new = replay(old)
        if args.check:  # times and rates differ from run to run
            old, new = masked(old), masked(new)
    if args.check:
        return _compare(old, new, path)
    with atomic_write(path, "w") as file:
        file.write(new)
    print(f"{display_path(path)}: written")
    return 0


def _compare(old: str, new: str, path: Path) -> int:
    lines = list(
        difflib.unified_diff(old.splitlines(), new.splitlines(), "the page", "made now", n=1)
    )
    print("\n".join(lines) or f"{display_path(path)}: up to date")
    return 1 if lines else 0
