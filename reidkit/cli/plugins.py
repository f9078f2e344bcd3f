"""``reidkit plugins``: what is installed, what it offers, whether it keeps its promises."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser
from reidkit.plugin import Discovery, Manifest, discover
from reidkit.plugin.discover import find, plugin_package
from reidkit.plugin.errors import shown

EXAMPLES = """examples:
  python tools/plugins.py list
  python tools/plugins.py show eanet
  python tools/plugins.py check eanet
  python tools/plugins.py new mypaper --folder plugins

A plugin is code and runs with your rights. list and show read manifests only; check imports."""


def main(argv: list[str]) -> int:
    """Dispatch list, show, check and new."""
    made = parser("reidkit plugins", "Look at, check and start plugins.", EXAMPLES)
    commands = made.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("list", help="all plugins found, broken ones too; imports none")
    for name, text in [
        ("show", "components and settings of one plugin; does not import it"),
        ("check", "import one plugin, compare it with its manifest, run the contract checks"),
    ]:
        commands.add_parser(name, help=text).add_argument("name")
    new = commands.add_parser("new", help="write the skeleton of a plugin that passes check")
    new.add_argument("name", help="lower-case letters, digits and underscores")
    new.add_argument("--folder", default="plugins", help="where the plugin's folder is made")
    args = made.parse_args(argv)
    if args.command == "list":
        print(list_text(discover()))
        return 0
    if args.command == "show":
        print(show_text(find(args.name)))
        return 0
    if args.command == "new":
        from reidkit.plugin.skeleton import write_skeleton

        folder = write_skeleton(args.name, Path(args.folder))
        print(f"{shown(folder)}: written; try: python tools/plugins.py check {args.name}")
        searched = [Path(one).resolve() for one in plugin_package().__path__]
        if folder.parent.resolve() not in searched:
            print(f"first: export REIDKIT_PLUGIN_PATH={shown(folder.parent)}")
        return 0
    return check(args.name)


def list_text(found: Discovery) -> str:
    """One line per plugin: name, version, components, where it comes from; then the broken ones."""
    lines = []
    width = max([*map(len, found.plugins), *map(len, found.broken), 4])
    for name, manifest in found.plugins.items():
        kinds = ", ".join(
            f"{kind} {len(names)}" for kind, names in manifest.provides.items() if names
        )
        place = f"{manifest.origin}: {shown(manifest.location)}"
        lines.append(f"{name:<{width}}  {manifest.version:<8}  {kinds or 'nothing'}   ({place})")
    for name, error in sorted(found.broken.items()):
        text = str(error).replace("\n", "\n" + " " * (width + 2))
        lines.append(f"{name:<{width}}  broken    {text}")
    return "\n".join(lines) or "no plugins found"


def show_text(manifest: Manifest) -> str:
    """Everything a manifest says, settings with defaults and help."""
    paper = ", ".join(f"{key} {value}" for key, value in manifest.paper.items())
    lines = [
        f"{manifest.name} {manifest.version}   ({manifest.origin}: {shown(manifest.location)})",
        *([f"paper: {paper}"] if paper else []),
        *([manifest.description] if manifest.description else []),
        f"for reidkit {manifest.reidkit}, plugin API {manifest.api}",
        f"requires: {', '.join(manifest.requires) or 'nothing more'}",
        "components:",
        *(f"  {kind}: {', '.join(f'{manifest.name}/{n}' for n in names)}"
          for kind, names in manifest.provides.items() if names),
        "settings:" if manifest.settings else "settings: none",
    ]  # fmt: skip
    for key, setting in manifest.settings.items():
        kind = "any" if setting.default is None else type(setting.default).__name__
        choices = f" (one of {', '.join(map(str, setting.choices))})" if setting.choices else ""
        lines.append(f"  settings.{manifest.name}.{key}: {kind} = {setting.default!r}{choices}")
        lines.append(f"      {setting.help}")
    return "\n".join(lines)


def check(name: str) -> int:
    """Import a plugin and check each of its components; broken ones are listed and give status 1.

    Raises:
        PluginError: unknown, broken or unfit plugin.
    """
    manifest = find(name)
    from reidkit.plugin import load_plugins
    from reidkit.testing import ContractError, check_component

    load_plugins([name])
    print(f"{manifest}: imported, registers what it lists")
    failed = 0
    for kind, component in manifest.components():
        try:
            done = check_component(kind, component)
        except ContractError as error:
            failed += 1
            done = f"BROKEN: {error}"
        print(f"  {component}: {done}")
    count = len(list(manifest.components()))
    print(f"{count - failed} of {count} components keep their contract")
    return 1 if failed else 0
