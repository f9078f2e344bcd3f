"""``reidkit push``: a saved model to the Hugging Face Hub, or to a folder that stands for it."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/push.py pcb me/pcb-synthped --private
  REIDKIT_HUB=/mnt/models python tools/push.py pcb team/pcb-synthped
More: docs/sharing.md"""


def main(argv: list[str]) -> int:
    """Send the folder, say where it lies."""
    command = parser("reidkit push", "Send a saved model to a hub.", EXAMPLES)
    command.add_argument("folder", type=Path, help="of reidkit save")
    command.add_argument("repository", help="<owner>/<name>; made if missing")
    command.add_argument("--private", action="store_true", help="a new one is seen by its owner")
    command.add_argument("--message", default="", help="of the commit")
    args = command.parse_args(argv)
    from reidkit.engine.sharing.hub import PREFIX, push
    from reidkit.engine.sharing.read import is_saved_model

    if not is_saved_model(args.folder):
        raise UserError(f"{args.folder}: not a saved model; make one with: reidkit save RUN FOLDER")
    address = push(args.folder, args.repository, args.private, args.message)
    name = args.repository.removeprefix(PREFIX)
    print(f'pushed  {address}\nuse     reidkit.load("{PREFIX}{name}")')
    return 0
