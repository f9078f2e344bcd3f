#!/usr/bin/env python
"""Load a service for some minutes, with bad input between, and count what comes back.

  python tools/service_load.py --minutes 30 --clients 4
  python tools/service_load.py RUN settings.device=cuda --minutes 30

A service of an empty gallery is started on a free port, by `reidkit serve`; without RUN its model
is an OSNet with random weights at 64x32. Exit status 1 where a good request fails, a person who is
there is not the nearest, bad input is answered by other than 4xx, or the gallery is not whole and
empty in the end. Times are those of clients on the same machine."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from reidkit.testing.service_load import Load, run_load


def main() -> int:
    """Start, load, end, print two tables."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("model", nargs="?", help="run folder (default: a random network)")
    command.add_argument("overrides", nargs="*", metavar="key=value")
    command.add_argument("--minutes", type=float, default=2.0, help="how long (default: 2)")
    command.add_argument("--clients", type=int, default=4, help="at once (default: 4)")
    command.add_argument("--seed", type=int, default=0, help="of what is sent (default: 0)")
    args = command.parse_args()
    base = Path(tempfile.mkdtemp(prefix="reidkit-service-load-"))
    model = [args.model, *args.overrides] if args.model else _random_network(base / "net.pth")
    token, folder = secrets.token_urlsafe(32), base / "people"
    ready = dict(os.environ, REIDKIT_TOKENS=f"load {token}", PYTHONUNBUFFERED="1")
    typed = [sys.executable, "-m", "reidkit.cli.main", "serve", str(folder), *model]
    with open(base / "service.log", "w") as log:
        service = subprocess.Popen(
            [*typed, "--port", "0", "--rate", "100000/second"],
            env=ready, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert service.stdout is not None
        port = next((int(t.rpartition(":")[2]) for t in service.stdout if "listening" in t), 0)
        if not port:
            print((base / "service.log").read_text(), file=sys.stderr)
            return 2
        load = run_load("127.0.0.1", port, token, args.minutes * 60, args.clients, args.seed)
        service.send_signal(signal.SIGTERM)
        status = service.wait()
    load.problems += _left(folder, status)
    _print(load)
    if load.problems:
        print(f"the service's log: {base / 'service.log'}", file=sys.stderr)
        return 1
    shutil.rmtree(base)
    return 0


def _random_network(file: Path) -> list[str]:
    """Write OSNet x0.25 with random weights; what is typed to open it."""
    import torch

    from reidkit.models.heads import FCHead
    from reidkit.models.osnet import OSNet
    from reidkit.structures import FeatureSpecs

    torch.manual_seed(0)
    network = OSNet("osnet_x0_25")
    head = FCHead(FeatureSpecs(network.specs, network.default), 3)
    torch.save({**network.state_dict(), **head.state_dict()}, file)
    return ["osnet_x0_25", f"weights={file}", "input.size=(64,32)"]


def _left(folder: Path, status: int) -> list[str]:
    """What is wrong with the gallery afterwards, in words."""
    from reidkit.gallery import Gallery

    gallery = Gallery(folder)
    gallery.verify()
    problems = [f"the service ended with status {status}"] if status != 143 else []
    if len(gallery):
        problems.append(f"{len(gallery)} images are left")
    if any(b"client-" in f.read_bytes() for f in folder.rglob("*") if f.is_file()):
        problems.append("names of erased people are left")
    return problems


def _print(load: Load) -> None:
    """Replies by status, times of good requests, problems."""
    statuses = sorted({status for _, status in load.counts})
    print(f"| request | {' | '.join(statuses)} |\n|---|{'---|' * len(statuses)}")
    actions = sorted({action for action, _ in load.counts}, key=lambda a: (a[:4] == "bad:", a))
    for action in actions:
        print(f"| {action} | {' | '.join(str(load.counts[action, s]) for s in statuses)} |")
    total = [sum(n for (_, s), n in load.counts.items() if s == status) for status in statuses]
    print(f"| all | {' | '.join(map(str, total))} |\n")
    print("| request | p50, ms | p95, ms | largest, ms |\n|---|---|---|---|")
    for action in ("enrol", "search", "erase"):
        if times := load.seconds.get(action):
            row = [*np.percentile(times, (50, 95)), max(times)]
            print(f"| {action} | {' | '.join(f'{1000 * one:.0f}' for one in row)} |")
    for text, count in sorted((t, load.problems.count(t)) for t in set(load.problems)):
        print(f"{text} ({count}x)", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
