"""``reidkit save``: a run or a network as a folder of data for other people."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser, take_weights

EXAMPLES = """examples:
  python tools/save.py runs/eanet-pcb-synthped-quick-s0 pcb --licence mit
  python tools/save.py osnet_x0_25 osnet weights=osnet_x0_25_msmt17.pth
More: docs/sharing.md"""


def main(argv: list[str]) -> int:
    """Open the model, write the folder, say what is in it."""
    about = "Save a model as a folder of data: config, weights, calibration and a card."
    command = parser("reidkit save", about, EXAMPLES)
    command.add_argument("model", help="run folder, or network")
    command.add_argument("folder", type=Path, help="to write; its name is the model's title")
    command.add_argument("--licence", default="", help="of the weights, for the card (apache-2.0)")
    command.add_argument("--cite", type=Path, help="file with the BibTeX to cite, for the card")
    command.add_argument("--replace", action="store_true", help="a saved model there gives way")
    args, given = parse_with_overrides(command, argv)
    overrides, weights = take_weights(given)
    from reidkit.engine.ready import open_model
    from reidkit.engine.sharing.write import save_model
    from reidkit.utils.io import read_regular

    cite = read_regular(args.cite).decode("utf-8") if args.cite else ""
    run = open_model(args.model, overrides, weights)
    folder = save_model(run, args.folder, args.licence, cite, args.replace)
    for file in sorted(folder.iterdir()):
        print(f"  {file.stat().st_size:>12,}  {file.name}")
    print(f'saved   {folder}\nuse     reidkit.load("{folder}")')
    if not args.licence:
        print("note: the card states no licence; --licence NAME does")
    return 0
