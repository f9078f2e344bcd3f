"""What every command line shares: errors that speak, one way to end, ``key=value`` arguments."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from reidkit.errors import UserError
from reidkit.utils.commands import examples, pages
from reidkit.utils.signals import Stopped, signals_as_exceptions
from reidkit.utils.threads import limit_spinning
from reidkit.utils.trouble import MachineError, machine_error

Main = Callable[[list[str]], int | None]
_was_in_group = False


def run_cli(main: Main, argv: Sequence[str] | None = None) -> int:
    """Run ``main(argv)`` and turn what it raises into an exit status.

    A ``UserError`` is printed on standard error without a traceback (exit status 2), and so is what
    the machine refused (``machine_error``). An interrupt, SIGTERM and SIGHUP end the command as an
    exception would, so that files and processes are cleared away (130, 143, 129). Notes of an
    exception, such as how to go on, follow it. A reader that went away ends silently (as ``| head``
    does). ``--debug`` anywhere among the arguments is taken out and lets every exception through
    with its traceback.

    Args:
        main: takes the arguments; may return an exit status, None meaning 0.
        argv: the arguments after the program's name; ``sys.argv[1:]`` by default.

    Example:
        >>> run_cli(lambda argv: print(argv), ["a", "--debug"])
        ['a']
        0
    """
    limit_spinning()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        with signals_as_exceptions():
            status = int(main(arguments) or 0)
            _leave_group()
        return status
    except KeyboardInterrupt as stop:
        if debug:
            raise
        _tell(str(stop) or "interrupted", stop)
        return 128 + stop.number if isinstance(stop, Stopped) else 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        known = machine_error(error)
        if debug or known is None:
            raise
        _tell(str(known), error)
        return 2


def _tell(text: str, error: BaseException) -> None:
    """Say what happened and what the exception's notes advise; a lost terminal hears nothing."""
    with suppress(OSError):
        message = pages("\n".join([text, *getattr(error, "__notes__", [])]))
        print(message, file=sys.stderr, flush=True)


@contextmanager
def kept(what: str) -> Iterator[None]:
    """Add to what breaks off the block from outside (a signal, the machine) how to go on.

    Args:
        what: is kept ("what is rendered").
    """
    try:
        yield
    except (KeyboardInterrupt, OSError, MachineError, MemoryError) as stop:
        stop.add_note(f"{what} is kept: type the command again to go on")
        raise


def _leave_group() -> None:
    """Leave torch's process group, if there is one, when all processes have come to their end."""
    global _was_in_group
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.barrier()  # torchrun ends all as soon as one has ended in any other way
        distributed.destroy_process_group()
        _was_in_group = True


def entry_point(main: Main) -> None:
    """Run ``main`` on the command line's arguments and leave Python; for ``tools/*.py``."""
    leave(run_cli(main))


def leave(status: int) -> NoReturn:
    """End the process.

    One that was in a process group ends without taking Python down: threads that torch leaves
    behind abort it there now and then, and torchrun takes that for a failed run.
    """
    if _was_in_group:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """An argument parser in the house style: line breaks kept, ``--debug`` explained.

    Args:
        prog: the command as typed ("reidkit train").
        description: what it does.
        epilog: examples with the repository's tools, shown below the options as they would be
            typed here.
    """
    command = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=examples(epilog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--debug", action="store_true", help="show tracebacks of problems, too")
    return command


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part ``key=value``, ``+key=value`` and ``~key`` from the other arguments, keeping the order.

    Example:
        >>> split_overrides(["--amp", "data=market1501", "~model.losses.ps", "+a.b=1"])
        (['data=market1501', '~model.losses.ps', '+a.b=1'], ['--amp'])
    """
    overrides: list[str] = []
    others: list[str] = []
    for argument in arguments:
        key, equals, _ = argument.partition("=")  # a path or address may have one, too
        is_override = argument.startswith("~") or bool(
            equals and key[0:1] != "-" and "/" not in key
        )
        (overrides if is_override else others).append(argument)
    return overrides, others


def parse_with_overrides(
    command: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, list[str]]:
    """The arguments of a command that takes overrides of a config anywhere among them.

    Args:
        command: its parser; overrides are added to its usage as ``[key=value ...]``.
        arguments: after the program's name.

    Returns:
        What the parser found, and the overrides in order.

    Raises:
        UserError: an argument that is neither.

    Example:
        >>> command = parser("reidkit test", "Test a run.")
        >>> _ = command.add_argument("run")
        >>> typed = ["settings.seed=1", "RUN", "~labels.test"]
        >>> args, overrides = parse_with_overrides(command, typed)
        >>> args.run, overrides
        ('RUN', ['settings.seed=1', '~labels.test'])
    """
    command.add_argument(
        "others",
        nargs="*",
        metavar="key=value",
        help="override: key=value changes, +key=value adds, ~key removes",
    )
    overrides, others = split_overrides(arguments)
    args = command.parse_args(others)
    if args.others:
        raise UserError(f"{args.others[0]!r} is no override; write key=value, +key=value or ~key")
    return args, overrides


def take_weights(overrides: list[str]) -> tuple[list[str], str | None]:
    """The overrides without ``weights=FILE``, and the file.

    Example:
        >>> take_weights(["data=viper", "weights=a.pth"])
        (['data=viper'], 'a.pth')
    """
    files = [text.partition("=")[2] for text in overrides if text.startswith("weights=")]
    rest = [text for text in overrides if not text.startswith("weights=")]
    return rest, files[-1] if files else None
