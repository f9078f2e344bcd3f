"""Searching a gallery against vector libraries: 10^5 and 10^6 images of 512 numbers, k = 10.

CPU seconds, one thread each; ours is the whole ``Gallery.search`` with identities and the log.
Peers run in processes of their own, turn by turn with ours, with the interpreter that
``REIDKIT_BENCH_PYTHON`` names (or this one) and are left out where they are not installed.
``REIDKIT_BENCH_SIZES`` and ``REIDKIT_BENCH_PEERS`` choose ("100000,1000000", "FAISS flat,...").
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidkit.bench import gallery_peers
from reidkit.bench.measure import extra_mb
from reidkit.bench.table import Row
from reidkit.evaluation import CosineMatcher, VisiblePartsMatcher
from reidkit.evaluation.matchers.base import Matcher
from reidkit.gallery import EmbeddingsOnly, Gallery
from reidkit.structures import Embedding

SIZES, DIMS, QUERIES, K, TURNS = (100_000, 1_000_000), 512, 64, 10, 3
FEW_PEERS = ("FAISS flat", "usearch exact f32", "usearch exact f16", "Milvus Lite")
SMALL = 100_000  # images up to which graphs are built and databases filled, in minutes
PARTS = (8, 64)  # of a gallery of parts with visibility: as many numbers


def run() -> list[Row]:
    """The rows of the table."""
    sizes = os.environ.get("REIDKIT_BENCH_SIZES")
    rows = []
    for size in map(int, sizes.split(",")) if sizes else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            rows += _size(Path(folder), size)
    return rows


def _size(folder: Path, size: int) -> list[Row]:
    """All rows of one size."""
    vectors, query = _vectors(folder, size)
    mine = _Ours(folder / "gallery", vectors, query, CosineMatcher())
    label = f"{size:,}"
    rows = [
        Row(f"{label}: open", "1 s", 1.0, mine.open_seconds, "CPU s", False),
        Row(f"{label}: memory beyond the files", "64 MB", 64.0, mine.extra, "MB", False),
    ]
    chosen = os.environ.get("REIDKIT_BENCH_PEERS")
    for name in chosen.split(",") if chosen else FEW_PEERS:
        if name in ("Milvus Lite", "usearch graph f32", "usearch graph f16") and size > SMALL:
            continue
        rows += _against(name, label, folder, mine)
    if size <= SMALL:
        rows += _parts(folder, vectors, query, mine, label)
    return rows


def _vectors(folder: Path, size: int) -> tuple[NDArray, NDArray]:
    """Unit vectors in a file, written in parts, and queries near some of them."""
    rng = np.random.default_rng(0)
    out = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (size, DIMS))
    for start in range(0, size, 20000):
        part = rng.standard_normal((min(20000, size - start), DIMS), np.float32)
        out[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    out.flush()
    query = out[rng.integers(size, size=QUERIES)]
    query = query + 0.03 * rng.standard_normal(query.shape, np.float32)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    np.save(folder / "queries.npy", query)
    return np.load(folder / "vectors.npy", mmap_mode="c"), query


class _Ours:
    """A gallery with one image for each person, opened anew.

    Attributes:
        open_seconds: CPU seconds of opening.
        extra: megabytes that opening and searching add beyond the size of the images' files.
    """

    def __init__(self, folder: Path, vectors: NDArray, query: NDArray, matcher: Matcher):
        model = EmbeddingsOnly("bench", matcher)
        shape = (len(vectors), 1, DIMS) if len(vectors.shape) == 2 else vectors.shape
        rows = torch.from_numpy(vectors).view(shape)
        seen = torch.ones(shape[:2]) if shape[1] > 1 else None
        ids = [f"p{number}" for number in range(len(vectors))]
        Gallery(folder, model).enrol(ids, Embedding(rows, seen), model="bench")
        self.query = Embedding(
            torch.from_numpy(query).view(len(query), *shape[1:]),
            None if seen is None else seen[:64],
        )

        def opened() -> None:
            start = time.process_time()
            self.gallery = Gallery(folder, model)
            self.open_seconds = time.process_time() - start
            self.search("single")
            self.search("batch")

        added = extra_mb(opened)
        files = sum(segment.bytes for segment in self.gallery.snapshot.segments)
        self.extra = added - files / (1 << 20)

    def search(self, kind: str) -> tuple[float, NDArray]:
        """CPU seconds of a search, and the rows of the people found."""
        asked = self.query[:1] if kind == "single" else self.query
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = self.gallery.search(asked, K, model="bench")
        spent = time.process_time() - start
        return spent, np.array([[int(c.identity[1:]) for c in a.candidates] for a in answers])


def _against(name: str, label: str, folder: Path, mine: _Ours) -> list[Row]:
    """Rows of one peer, turn by turn."""
    command = [os.environ.get("REIDKIT_BENCH_PYTHON", sys.executable), gallery_peers.__file__, name]
    files = [str(folder / "vectors.npy"), str(folder / "queries.npy"), str(K)]
    one = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    pipes: dict[str, Any] = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen([*command, *files], env=one, **pipes) as peer:
        assert peer.stdin is not None and peer.stdout is not None
        ready = json.loads(peer.stdout.readline() or '{"missing": true}')
        if ready.get("missing"):
            return [Row(f"{label}: search", f"{name} (not installed)", np.nan, np.nan, "CPU s")]
        rows = []
        for kind in ("single", "batch"):
            theirs: list[float] = []
            ours: list[float] = []
            found: Any = []
            for _ in range(TURNS + 1):  # the first warms up
                peer.stdin.write(f"{kind}\n")
                peer.stdin.flush()
                said = json.loads(peer.stdout.readline())
                theirs.append(said["cpu"])
                spent, found = mine.search(kind)
                ours.append(spent)
            recall = np.mean(
                [len(set(a) & set(b)) / K for a, b in zip(said["rows"], found, strict=True)]
            )
            what = "one query" if kind == "single" else f"{QUERIES} queries"
            title = f"{label}: {what}, its recall {recall:.3f}"
            rows.append(Row(title, name, min(theirs[1:]), min(ours[1:]), "CPU s", False))
        peer.stdin.close()
    return rows


def _parts(folder: Path, vectors: NDArray, query: NDArray, mine: _Ours, label: str) -> list[Row]:
    """The same numbers as parts with visibility, against the one vector."""
    some = len(vectors) // 4
    parts = vectors[:some].reshape(some, *PARTS)
    theirs = _Ours(folder / "parts", parts, query, VisiblePartsMatcher())
    rows = []
    for kind in ("single", "batch"):
        spent = [(mine.search(kind)[0] / 4, theirs.search(kind)[0]) for _ in range(TURNS)]
        base, own = (min(values) for values in zip(*spent, strict=True))
        what = "one query" if kind == "single" else f"{QUERIES} queries"
        title = f"{some:,} of {PARTS[0]} visible parts: {what}"
        rows.append(Row(title, "vectors", base, own, "CPU s", False))
    return rows
