#!/usr/bin/env python
"""A service is started, people are enrolled, searched for and erased over HTTP, and it is ended.

  python examples/service.py RUN people crops/enrolled crops/queries
  python examples/service.py osnet_x0_25 people ENROLLED QUERIES weights=osnet_x0_25.pth

ENROLLED holds a folder of images for each person, QUERIES holds images. Needs reidkit[service] and
httpx2. docs/service.md has the same with curl."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import httpx2


def main(model: str, folder: str, enrolled: str, queries: str, *more: str) -> None:
    """Start, enrol, search, erase, end."""
    token = secrets.token_urlsafe(32)
    typed = [sys.executable, "-m", "reidkit.cli.main", "serve", folder, model, *more]
    service = subprocess.Popen(
        [*typed, "--port", "0"], env=dict(os.environ, REIDKIT_TOKENS=f"example {token}"),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        address = next(line.split()[-1] for line in service.stdout if "listening" in line)
        with httpx2.Client(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60
        ) as client:
            use(client, Path(enrolled), Path(queries))
    finally:
        service.terminate()  # requests under way would be answered first
        service.wait()


def use(client: httpx2.Client, enrolled: Path, queries: Path) -> None:
    """What a program does with a service."""
    for person in sorted(path for path in enrolled.iterdir() if path.is_dir()):
        files = [("images", file.read_bytes()) for file in sorted(person.glob("*.[jp][pn]g"))]
        form = {"identities": person.name, "source": "given by themselves, for this example"}
        print(person.name, client.post("/enrol", files=files, data=form).json())
    paths = sorted(queries.glob("*.[jp][pn]g"))
    files = [("images", path.read_bytes()) for path in paths]
    found = client.post("/search", files=files, data={"k": 1, "note": "an example"}).json()
    for path, answer in zip(paths, found["answers"], strict=True):
        print(f"{path.name}: {answer['identity']}, {answer['candidates'][0]['distance']:.3f}")
    first = found["answers"][0]["identity"]
    print(f"{first} erased:", client.post("/erase", json={"identities": [first]}).json())
    refused = client.post("/erase", json={"identities": [first]})
    print(refused.status_code, refused.json()["detail"])


if __name__ == "__main__":
    main(*sys.argv[1:])
