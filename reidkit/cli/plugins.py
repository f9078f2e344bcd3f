"""``reidkit plugins``: what is installed, what it offers, whether it keeps its promises."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError
from reidkit.plugin import Discovery, discover
from reidkit.plugin.discover import VARIABLE, find, path_problems, plugin_package
from reidkit.plugin.errors import display_path
from reidkit.utils.commands import cli_command

EXAMPLES = """examples:
  python tools/plugins.py list
  python tools/plugins.py show PLUGIN                # or a component: show PKSampler
  python tools/plugins.py where BatchHardTripletLoss
  python tools/plugins.py check PLUGIN
  python tools/plugins.py new mypaper                # a project of its own
  python tools/plugins.py new mypaper --folder plugins --bare

A plugin is code and runs with your rights. list reads manifests only; the others import."""


def main(argv: list[str]) -> int:
    """Dispatch list, show, where, check and new."""
    command = parser("reidkit plugins", "Look at, check and start plugins.", EXAMPLES)
    commands = command.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("list", help="all plugins found, broken ones too; imports none")
    for name, argument, text in [
        ("show", "name", "settings and components with their options and docs"),
        ("where", "type", "the file and line of a component"),
        ("check", "name", "manifest, contracts, configs and documentation of a plugin"),
    ]:
        commands.add_parser(name, help=text).add_argument(argument)
    new = commands.add_parser("new", help="write a plugin that passes check, to be filled")
    new.add_argument("name", help="lower-case letters, digits and underscores")
    new.add_argument("--folder", default=".", help="where it is made (default: here)")
    new.add_argument(
        "--bare", action="store_true", help="the plugin's folder alone, as in reidkit's plugins/"
    )
    args = command.parse_args(argv)
    if args.command == "list":
        print(list_text(discover()))
        return 0
    if args.command == "new":
        return _new(args.name, Path(args.folder), args.bare)
    if args.command == "check":
        return check(args.name)
    from reidkit.cli import components

    print(components.show(args.name) if args.command == "show" else components.where(args.type))
    return 0


def list_text(discovery: Discovery) -> str:
    """One line per plugin: name, version, components, where it comes from; then what is broken."""
    lines = []
    width = max([*map(len, discovery.plugins), *map(len, discovery.broken), 4])
    for name, manifest in discovery.plugins.items():
        kinds = ", ".join(
            f"{kind} {len(names)}" for kind, names in manifest.provides.items() if names
        )
        place = f"{manifest.origin}: {display_path(manifest.location)}"
        lines.append(f"{name:<{width}}  {manifest.version:<8}  {kinds or 'nothing'}   ({place})")
    for name, error in sorted(discovery.broken.items()):
        text = str(error).replace("\n", "\n" + " " * (width + 2))
        lines.append(f"{name:<{width}}  broken    {text}")
    lines += path_problems()
    return "\n".join(lines) or "no plugins found"


def check(name: str) -> int:
    """Check a plugin line by line; status 1 when something is broken.

    Raises:
        PluginError: unknown, broken or unfit plugin.
    """
    manifest = find(name)  # says what is wrong before anything heavy is imported
    from reidkit.testing import check_plugin

    report = check_plugin(manifest.name, lambda line: print(line, flush=True))
    print(str(report).splitlines()[-1])
    return 1 if report.broken else 0


def _new(name: str, folder: Path, bare: bool) -> int:
    """Write a new plugin and say what to do next.

    Raises:
        UserError: a name that does not fit or is taken, or a folder that exists already.
    """
    from reidkit.plugin.new import write_package, write_project

    discovery = discover()
    taken = discovery.plugins.get(name)
    if taken is not None or name in discovery.broken:
        at = f" ({display_path(taken.location)})" if taken else ""
        raise UserError(f"a plugin named {name!r} is there already{at}; choose another name")
    target = write_package(name, folder) if bare else write_project(name, folder)
    print(f"{display_path(target)}: written")
    searched = [Path(one).resolve() for one in plugin_package().__path__]
    place = target.parent if bare else target
    if place.resolve() not in searched:
        at = display_path(place)
        where = at if Path(at).is_absolute() else f"$PWD/{at}".removesuffix("/.")
        print(f"next:  export {VARIABLE}={where}")
    print(f"       {cli_command('plugins')} check {name}")
    print(f"       {cli_command('train')} {name}/baseline")
    return 0
