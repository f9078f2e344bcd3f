#!/usr/bin/env python
"""Do the commands of docs/install.md work? The wheel, in a fresh environment, from an empty folder.

  python tools/clean_install.py
  python tools/clean_install.py --python python3.12 --sections installing keypoints
  python tools/clean_install.py --before "uv pip install torch==2.11.0"

Every section's shell commands are run as the page shows them, in its order and in one environment;
"runtime", which does without torch, has an environment of its own. Several gigabytes are fetched.
`--before` is run first in the environment, as the page advises for a torch without CUDA."""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADINGS = {
    "installing": "# Installing",
    "keypoints": "## Keypoints with mmpose",
    "runtime": "## Without torch",
}
APART = ("runtime",)


def main(argv: list[str] | None = None) -> int:
    """Build, make environments, run the page."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--python", default=sys.executable, help="of the fresh environments")
    command.add_argument("--sections", nargs="+", choices=HEADINGS, default=list(HEADINGS))
    command.add_argument("--before", help="shell command to run first in the environment")
    command.add_argument("--folder", type=Path, help="to work in, kept; default: a temporary one")
    args = command.parse_args(argv)
    commands = shown((ROOT / "docs" / "install.md").read_text())
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        wheel = build(folder / "dist")
        failed = []
        for apart in (False, True):
            names = [name for name in args.sections if (name in APART) == apart]
            place = folder / ("apart" if apart else "whole")
            if names and not fresh(place, args.python, wheel, None if apart else args.before):
                return 1
            for name in names:
                if not run(name, commands[name], place):
                    failed.append(name)
                    break  # the next section goes on in this environment
    print(f"failed: {', '.join(failed)}" if failed else "every command of the page worked")
    return bool(failed)


def shown(page: str) -> dict[str, str]:
    """The first shell block below each heading.

    Raises:
        ValueError: the page lost a heading or its block.
    """
    found = {}
    for name, heading in HEADINGS.items():
        match = re.search(rf"^{heading}$.*?^```sh\n(.*?)^```", page, re.M | re.S)
        if match is None or "\n## " in match[0][len(heading) :]:
            raise ValueError(f"docs/install.md: no ```sh block below {heading!r}")
        found[name] = match[1]
    return found


def build(folder: Path) -> Path:
    """The wheel of what is committed, built from a copy so that the repository stays clean."""
    source = folder / "source"
    source.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
    options = ["-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def fresh(place: Path, python: str, wheel: Path, before: str | None) -> bool:
    """An environment and beside it an empty folder with the wheel."""
    subprocess.run([python, "-m", "venv", str(place / "environment")], check=True)
    (place / "empty").mkdir()
    shutil.copy(wheel, place / "empty")
    return before is None or run("before", before, place)


def run(name: str, block: str, place: Path) -> bool:
    """Commands in the environment, as a person types them; what failed is shown, and seconds."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment = place / "environment"
    env.update(VIRTUAL_ENV=str(environment), PATH=f"{environment}/bin:{env['PATH']}")
    print(f"== {name}\n{block.rstrip()}", flush=True)
    began, used = time.time(), cpu_seconds()
    log = place / f"{name}.log"
    with open(log, "w") as out:
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=place / "empty", env=env, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    lines = log.read_text(errors="replace").splitlines()
    print("\n".join(f"   {line}" for line in lines[-25:]))
    spent = f"{time.time() - began:.0f} s, {cpu_seconds() - used:.0f} CPU s"
    print(f"== {name}: {'worked' if done.returncode == 0 else 'FAILED'}, {spent}", flush=True)
    return done.returncode == 0


def cpu_seconds() -> float:
    """Of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
