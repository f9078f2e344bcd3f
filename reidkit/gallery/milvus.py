"""A gallery's vectors in Milvus, which finds the images that the matcher then compares exactly.

The folder stays what counts; the database holds one vector per image, its row, and nothing else: no
names, no dates. Each segment is a partition, so that what an erasure takes out of a segment leaves
the database with the whole partition: a dropped partition's files are removed, while deleting
single vectors only marks them (milvus-lite 3.2: their bytes stay, compaction or not).

Libraries: pymilvus for an embedded file (milvus-lite) and for a cluster alike.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.errors import UserError
from reidkit.evaluation.matchers.base import Matcher, flat_vectors
from reidkit.evaluation.ranking.nearest import nearest
from reidkit.gallery.manifest import Manifest
from reidkit.gallery.segments import Segment
from reidkit.gallery.snapshot import Snapshot
from reidkit.structures import Embedding

TOKEN = "MILVUS_TOKEN"  # "user:password" or a key, of a cluster
EMBEDDED = ".db"
CANDIDATES = 256  # images of a shortlist
MOST = 16384  # that Milvus lists
STEP = 2048  # vectors sent together
PLACES = 40  # bits of a row in an image's number


@dataclass(frozen=True)
class Recall:
    """How much of exact search a shortlist contains, measured on enrolled images.

    Attributes:
        nearest: share of the queries whose nearest image is in their shortlist.
        listed: share of the ``k`` nearest images that are.
        k: how many were looked for.
        queries: enrolled images that were searched for, themselves left out.
        images: of the gallery then.
        candidates: length of the shortlists.
    """

    nearest: float
    listed: float
    k: int
    queries: int
    images: int
    candidates: int


class Milvus:
    """Shortlists of one gallery.

    Args:
        address: a file that ends in ".db" for the embedded database, which one process opens at a
            time; or the address of a cluster, "http://host:19530".
        gallery: id of the gallery, of which the collection has its name.
        candidates: images of a shortlist, from 1 to 16384.

    Raises:
        UserError: pymilvus is not installed; neither a file nor an address.
    """

    def __init__(self, address: str, gallery: str, candidates: int = CANDIDATES):
        if not 1 <= candidates <= MOST:
            raise UserError(f"candidates must be from 1 to {MOST}, got {candidates}")
        self.embedded = "://" not in address
        if self.embedded and not address.endswith(EMBEDDED):
            raise UserError(f"{address}: neither a file that ends in {EMBEDDED} nor http://...")
        needed = ("pymilvus", "milvus_lite") if self.embedded else ("pymilvus",)
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(
                f"{address}: needs {', '.join(missing)}: python -m pip install 'reidkit[milvus]'"
            )
        self.address = os.path.abspath(address) if self.embedded else address
        self.collection, self.candidates = f"reidkit_{gallery}", candidates
        self._complete: set[str] = set()  # partitions, seen to be whole

    @cached_property
    def client(self) -> Any:
        """The connection."""
        from pymilvus import MilvusClient  # heavy

        with self._words():
            if self.embedded:
                Path(self.address).parent.mkdir(parents=True, exist_ok=True)
                client = MilvusClient(self.address)
            else:
                client = MilvusClient(self.address, token=os.environ.get(TOKEN, ""))
            if client.has_collection(self.collection):
                client.load_collection(self.collection)
            return client

    @contextmanager
    def _words(self) -> Iterator[None]:
        """What the database refuses, in words."""
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, RpcError, OSError) as error:
            advice = (
                "one process opens an embedded database at a time; without database= the search is "
                "exact"
                if self.embedded
                else f"is it there, and does {TOKEN} let you in?"
            )
            text = str(error).splitlines()[0][:200]
            raise UserError(f"{self.address}: {text}; {advice}") from None

    def close(self) -> None:
        """Let go of the database, so that another process may open an embedded one."""
        if "client" in self.__dict__:
            self.client.close()
            if self.embedded:
                from milvus_lite import server_manager_instance

                server_manager_instance.release_server(self.address)
            del self.__dict__["client"]

    def sync(self, segments: Sequence[Segment]) -> None:
        """Make the partitions those of the segments; what was erased is not there afterwards.

        Args:
            segments: of the gallery.
        """
        wanted = {_partition(one): one for one in segments if len(one)}
        with self._words():
            there = self._partitions()
            for name in sorted(there - set(wanted)):
                self._drop(name)
            for name, segment in wanted.items():
                if name in self._complete:
                    continue
                if name in there and self._count(name) != len(segment):  # a kill left a part of it
                    self._drop(name)
                    there.remove(name)
                if name not in there:
                    self._insert(name, segment)
                self._complete.add(name)

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Whether the partitions are those of the segments, by name."""
        with self._words():
            return self._partitions() == {_partition(one) for one in segments if len(one)}

    def _partitions(self) -> set[str]:
        if not self.client.has_collection(self.collection):
            return set()
        names = self.client.list_partitions(self.collection)
        return {name for name in names if name.startswith("segment_")}

    def _count(self, partition: str) -> int:
        # of flushed partitions this is exact; count(*) of milvus-lite counts all partitions
        return int(self.client.get_partition_stats(self.collection, partition)["row_count"])

    def _drop(self, partition: str) -> None:
        self._complete.discard(partition)
        if not self.embedded:  # a cluster drops what is not loaded; milvus-lite knows no release
            self.client.release_partitions(self.collection, [partition])
        self.client.drop_partition(self.collection, partition)

    def _insert(self, partition: str, segment: Segment) -> None:
        first = int(segment.folder.name) << PLACES
        for start in range(0, len(segment), STEP):
            flat = flat_vectors(segment.embedding[start : start + STEP])
            if not start:
                self._create(flat.shape[1])
                self.client.create_partition(self.collection, partition)
            rows = [{"id": first + row, "vector": vector} for row, vector in enumerate(flat, start)]
            self.client.insert(self.collection, rows, partition_name=partition)
        self.client.flush(self.collection)
        self.client.load_collection(self.collection)  # new partitions, too

    def _create(self, dim: int) -> None:
        """Make the collection, if it is not there."""
        from pymilvus import DataType

        if self.client.has_collection(self.collection):
            return
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        index = self.client.prepare_index_params()
        index.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
        self.client.create_collection(
            self.collection, schema=schema, index_params=index, consistency_level="Strong"
        )

    def rows(self, query: Embedding, snapshot: Snapshot, count: int) -> list[NDArray[np.int64]]:
        """Rows of a snapshot that each query is to be compared with, ascending.

        Segments that the database does not hold are listed whole, so nothing new is missed.

        Args:
            query: Q raw embeddings.
            snapshot: of the gallery.
            count: images of a shortlist.
        """
        starts = np.cumsum([0, *map(len, snapshot.segments)])
        offsets, first, names = {}, [], []
        with self._words():
            there = self._partitions()
            for segment, start in zip(snapshot.segments, starts, strict=False):
                if (name := _partition(segment)) in there:
                    offsets[int(segment.folder.name)] = int(start)
                    names.append(name)
                else:
                    first.append(np.arange(start, start + len(segment)))
            whole = np.concatenate([np.zeros(0, np.int64), *first])
            if not names:
                return [whole] * len(query)
            found = self.client.search(
                self.collection, data=list(flat_vectors(query)), anns_field="vector",
                limit=min(count, MOST), partition_names=names, output_fields=["id"],
                search_params={"metric_type": "IP"},
            )  # fmt: skip
        lists = []
        for hits in found:
            ids = np.array([hit["id"] for hit in hits], np.int64)
            bases = np.array([offsets[one] for one in (ids >> PLACES).tolist()], np.int64)
            lists.append(np.sort(np.r_[whole, bases + (ids & ((1 << PLACES) - 1))]))
        return lists

    def recall(self, snapshot: Snapshot, matcher: Matcher, k: int, queries: int) -> Recall:
        """Compare shortlists with exact search.

        Args:
            snapshot: of the gallery, of at least two images.
            matcher: of its model.
            k: nearest images that are looked for.
            queries: enrolled images, drawn at random.
        """
        drawn = np.random.default_rng(0).permutation(len(snapshot))[:queries]
        rows = np.sort(drawn)
        asked, k = snapshot.rows(rows), min(k, len(snapshot) - 1)
        exact, _ = nearest(asked, snapshot.searched(matcher), matcher, k + 1)
        lists = self.rows(asked, snapshot, self.candidates + 1)
        inside = []
        for own, images, listed in zip(rows, exact, lists, strict=True):
            inside.append(np.isin(images[images != own][:k], listed))
        table = np.array(inside)
        return Recall(
            float(table[:, 0].mean()), float(table.mean()), k, len(rows), len(snapshot),
            self.candidates,
        )  # fmt: skip


def known_recall(manifest: Manifest) -> Recall | None:
    """The recall that was measured last, if any."""
    known = manifest.database.get("recall")
    return Recall(**known) if known else None


def recorded(folder: Path, address: str) -> str:
    """An address as a manifest keeps it: below the gallery's folder relative to it.

    Example:
        >>> recorded(Path("/a/people"), "/a/people/vectors.db"), recorded(Path("/a"), "http://b")
        ('vectors.db', 'http://b')
    """
    if "://" in address:
        return address
    whole = Path(os.path.abspath(address))
    own = Path(os.path.abspath(folder))
    return str(whole.relative_to(own) if whole.is_relative_to(own) else whole)


def _partition(segment: Segment) -> str:
    """Of a segment: its number, and what is in it, since numbers come again."""
    digest = segment.files.get("vectors.npy") or segment.files.get("maps.npy") or ""
    return f"segment_{segment.folder.name}_{digest[:16]}"
