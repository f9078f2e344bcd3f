"""``reidkit train``: a config, overrides, and the run they describe."""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.utils.commands import cli_command
from reidkit.utils.trouble import MachineError, machine_error

if TYPE_CHECKING:
    from mmengine.config import Config

    from reidkit.engine.folder import Claim

EXAMPLES = """examples:
  python tools/train.py CONFIG
  python tools/train.py CONFIG settings.seed=1 train.epochs=4
  python tools/train.py CONFIG recipe=paper data=market1501_to_dukemtmcreid
  python tools/train.py CONFIG model.backbone=TorchvisionBackbone --check
  torchrun --nproc-per-node 4 tools/train.py CONFIG recipe=paper
CONFIG is a file or a name; python tools/plugins.py show PLUGIN lists those of a plugin.
"""


def main(argv: list[str]) -> int:
    """Train and test one experiment."""
    args, overrides = _arguments(argv)
    from reidkit.config import prepare, render

    resolved = prepare(args.config, overrides)
    cfg = resolved.cfg
    for line in resolved.notices:
        print(line)
    if args.print:
        print(render(cfg, resolved.origin))
        return 0
    from reidkit.engine.dry_run import refuse_incompatible
    from reidkit.engine.failure import failure

    refuse_incompatible(cfg, args.config)
    if args.check:
        from reidkit.engine.label_plan import labeller_notices

        print(f"{args.config}: no problems (data is looked at when training starts)")
        print(resolved.summary())
        for line in labeller_notices(cfg):
            print(line)
        return 0
    from reidkit.engine.run import Run

    run = None
    try:
        run = Run.start(cfg, partial(_claimed, args, cfg), args.launcher, args.resume)
        run.prepare()  # runs that this one needs, data, part labels
        run.train()
        run.test()
        run.record()  # numbers, pictures, metrics.json
    except BaseException as error:
        problem: BaseException = error
        if isinstance(error, Exception):
            problem = machine_error(error) or failure(error, cfg) or error
        if run is not None and isinstance(problem, (KeyboardInterrupt, MachineError)):
            problem.add_note(_how_to_go_on(argv, args, run.folder))
        if problem is error:
            raise
        raise problem from error
    finally:
        if run is not None:
            run.release()
    return 0


def _how_to_go_on(argv: list[str], args: argparse.Namespace, folder: Path) -> str:
    """What to type after a run that was broken off for no fault of its own."""
    more = [] if args.work_dir or args.resume else ["--work-dir", str(folder)]
    more += [] if args.resume else ["--resume"]
    if not (folder / "config.py").exists():  # nothing was trained: data and labels only
        return "type the command again: data and labels that are ready are kept"
    return f"go on with: {cli_command('train')} {shlex.join([*argv, *more])}"


def _claimed(args: argparse.Namespace, cfg: Config) -> Claim:
    """The run folder, held: the one named, the one to be resumed, or a new one.

    Raises:
        UserError: it holds a run that is not to be resumed, there is none to resume, or another
            process trains there.
    """
    from reidkit.engine.folder import claim, claim_new, run_name
    from reidkit.engine.resume import resumable

    name = run_name(args.config, cfg.groups.data, cfg.groups.recipe, cfg.settings.seed)
    parent = Path(cfg.settings.work_dir)
    if args.work_dir:
        return claim(Path(args.work_dir), args.resume)
    if args.resume:
        return claim(resumable(parent, name, cfg), resume=True)
    return claim_new(parent, name)


def _arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    command = parser("reidkit train", "Train a method and test it.", EXAMPLES)
    command.add_argument("config", help="config file, or its name: PLUGIN/EXPERIMENT")
    command.add_argument("--check", action="store_true", help="list all problems and stop")
    command.add_argument("--print", action="store_true", help="show the resolved config and stop")
    command.add_argument("--work-dir", help="run folder (default: settings.work_dir/<name>)")
    command.add_argument("--resume", action="store_true", help="continue an unfinished run")
    command.add_argument("--amp", action="store_true", help="same as settings.precision=auto")
    command.add_argument(
        "--launcher",
        default="auto",
        choices=["auto", "none", "pytorch", "slurm", "mpi"],
        help="how several processes were started; auto knows torchrun",
    )
    command.add_argument(
        "--cfg-options",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="mmengine's way to override",
    )
    args, overrides = parse_with_overrides(command, argv)
    overrides += args.cfg_options
    if args.amp:
        overrides.append("settings.precision=auto")
    return args, overrides
