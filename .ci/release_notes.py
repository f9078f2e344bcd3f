"""The changelog's section of this version: python .ci/release_notes.py CHANGELOG.md dist"""

from __future__ import annotations

import re
import sys
from pathlib import Path

VERSION = re.search(r'__version__ = "(.+?)"', Path("reidkit/version.py").read_text()).group(1)


def section(text: str, version: str) -> str:
    """The lines below "## <version>", else below "## Unreleased"."""
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    found = parts.get(version, parts.get("Unreleased", "")).strip()
    if not found:
        sys.exit(f"CHANGELOG.md has no section {version}, and none that is unreleased")
    return f"# reidkit {version}\n\n{found}\n"


if __name__ == "__main__":
    changelog, folder = sys.argv[1:]
    file = Path(folder, f"CHANGES-{VERSION}.md")
    file.write_text(section(Path(changelog).read_text(), VERSION))
    print(file)
