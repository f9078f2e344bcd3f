"""``reidkit demo``: does this installation work, from pixels to report?"""

from __future__ import annotations

import time
from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError
from reidkit.utils.commands import pages

CONFIG = "_base_/demo"


def main(argv: list[str]) -> int:
    """Render, train, test, draw, report; then say where everything lies."""
    about = "Render a few people, train on them, test, draw ranked lists, write a report."
    command = parser("reidkit demo", about)
    command.add_argument("folder", nargs="?", type=Path, default=Path("reidkit-demo"))
    args = command.parse_args(argv)
    folder: Path = args.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists and is not empty; name another folder")
    from reidkit.config import prepare_config
    from reidkit.engine.extractor import Extractor
    from reidkit.engine.run import complete_run

    began = time.time()
    root = f"settings.data_root={folder / 'data'}"
    cfg = prepare_config(CONFIG, [root, "settings.device=cpu", "settings.workers=0"])
    run = complete_run(cfg, folder / "run", launcher="none")
    query = run.tests[0].query
    extractor = Extractor(run.folder, [root, "settings.device=cpu"])
    people = extractor([query.file(row) for row in range(2)])
    distance = float(extractor.matcher(people[:1], people[1:])[0, 0])
    print(f"\ntwo crops from Python: distance {distance:.3f}")
    lines = [f"run     {run.folder}", f"lists   {next(run.folder.glob('ranks_*.png'), '-')}"]
    if report := _report(run.folder, root):
        lines.append(f"report  {report}")
    print("\n".join(lines))
    further = pages("docs/start/photographs.md")
    print(f"it works; {time.time() - began:.0f} s. Next: reidkit train --help, {further}")
    return 0


def _report(run: Path, root: str) -> Path | None:
    """The report of the run; None where jinja2 is missing."""
    try:
        from reidkit.cli.report import main as report
    except ImportError:
        return None
    file = run / "report.html"
    report([str(run), "--out", str(file), root])
    return file
