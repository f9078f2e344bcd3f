"""A manifest in words, as ``reidkit plugins show`` prints it."""

from __future__ import annotations

from reidkit.plugin.errors import display_path
from reidkit.plugin.manifest import Manifest


def manifest_text(manifest: Manifest) -> list[str]:
    """What a manifest says besides its components, settings with type, default and help."""
    paper = ", ".join(f"{key} {value}" for key, value in manifest.paper.items() if value)
    lines = [
        f"{manifest.name} {manifest.version}   "
        f"({manifest.origin}: {display_path(manifest.location)})",
        *([f"paper: {paper}"] if paper else []),
        *([manifest.description] if manifest.description else []),
        f"for reidkit {manifest.reidkit}, plugin API {manifest.api}",
        f"requires: {', '.join(manifest.requires) or 'nothing more'}",
        "settings:" if manifest.settings else "settings: none",
    ]
    for key, setting in manifest.settings.items():
        kind = "any" if setting.default is None else type(setting.default).__name__
        choices = f" (one of {', '.join(map(str, setting.choices))})" if setting.choices else ""
        bounds = setting.bounds and f" ({setting.bounds.removeprefix(' of ')})"
        value = f"{kind} = {setting.default!r}"
        lines.append(f"  settings.{manifest.name}.{key}: {value}{choices}{bounds}")
        lines.append(f"      {setting.help}")
    return lines
