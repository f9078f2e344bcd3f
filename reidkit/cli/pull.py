"""``reidkit pull``: a model from the Hugging Face Hub, or a folder that stands for it."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser

EXAMPLES = """examples:
  python tools/pull.py me/pcb-synthped pcb
  REIDKIT_HUB=/mnt/models python tools/pull.py team/pcb-synthped pcb
More: docs/sharing.md"""


def main(argv: list[str]) -> int:
    """Fetch, copy, say what to do with it."""
    command = parser("reidkit pull", "Copy a model from a hub into a folder.", EXAMPLES)
    command.add_argument("repository", help="<owner>/<name>, perhaps with @<revision>")
    command.add_argument("folder", type=Path, help="new or empty")
    args = command.parse_args(argv)
    from reidkit.engine.sharing.hub import pull

    folder = pull(args.repository, args.folder)
    print(f'pulled  {folder}\nuse     reidkit.load("{folder}")')
    return 0
