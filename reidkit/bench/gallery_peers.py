"""Other people's exact search and indexes, each in a process and an environment of its own.

Run by ``reidkit bench gallery`` with the interpreter that ``REIDKIT_BENCH_PYTHON`` names; imports
numpy and the one library alone. Protocol: arguments NAME VECTORS.npy QUERIES.npy K; it prints a
line of JSON when it is ready and one for each line it reads ("single", "batch"): CPU seconds, and
the rows found.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

Search = Callable[[np.ndarray], np.ndarray]
STEP = 20000  # vectors added at a time


def faiss_flat(vectors: np.ndarray, k: int) -> Search:
    """FAISS, IndexFlatIP."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(vectors.shape[1])
    for start in range(0, len(vectors), STEP):
        index.add(np.ascontiguousarray(vectors[start : start + STEP]))
    return lambda query: index.search(query, k)[1]


def usearch_exact(dtype: str) -> Callable[[np.ndarray, int], Search]:
    """usearch's exact search, of float32 or float16 numbers."""

    def opened(vectors: np.ndarray, k: int) -> Search:
        from usearch.index import MetricKind, search

        kept = np.ascontiguousarray(vectors, dtype=dtype)

        def find(query: np.ndarray) -> np.ndarray:
            asked = query.astype(dtype)
            found = search(kept, asked, k, MetricKind.IP, exact=True, threads=1)
            return np.asarray(found.keys).reshape(len(query), k)

        return find

    return opened


def usearch_graph(dtype: str) -> Callable[[np.ndarray, int], Search]:
    """usearch's HNSW graph with its own settings, of float32 or float16 numbers."""

    def opened(vectors: np.ndarray, k: int) -> Search:
        from usearch.index import Index

        index = Index(ndim=vectors.shape[1], metric="ip", dtype=dtype)
        index.add(np.arange(len(vectors)), np.ascontiguousarray(vectors), threads=1)
        return lambda query: np.asarray(index.search(query, k, threads=1).keys).reshape(-1, k)

    return opened


def milvus_lite(vectors: np.ndarray, k: int) -> Search:
    """Milvus Lite, a file, index FLAT."""
    from pymilvus import MilvusClient

    client = MilvusClient(f"{tempfile.mkdtemp()}/gallery.db")
    client.create_collection("g", dimension=vectors.shape[1], metric_type="IP", id_type="int")
    for start in range(0, len(vectors), 2000):
        part = vectors[start : start + 2000]
        client.insert("g", [dict(id=start + i, vector=v.tolist()) for i, v in enumerate(part)])

    def find(query: np.ndarray) -> np.ndarray:
        found = client.search("g", data=query.tolist(), limit=k)
        return np.array([[one["id"] for one in row] for row in found])

    return find


PEERS = {
    "FAISS flat": faiss_flat,
    "usearch exact f32": usearch_exact("float32"),
    "usearch exact f16": usearch_exact("float16"),
    "usearch graph f32": usearch_graph("f32"),
    "usearch graph f16": usearch_graph("f16"),
    "Milvus Lite": milvus_lite,
}


def seconds() -> float:
    """CPU seconds of this process and of children that have ended or live as threads."""
    own, below = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def main() -> None:
    """Open one peer and serve."""
    name, vectors, queries, k = sys.argv[1:]
    try:
        query = np.load(queries)
        start = seconds()
        find = PEERS[name](np.load(vectors, mmap_mode="r"), int(k))
    except ImportError:
        print(json.dumps(dict(missing=True)), flush=True)
        return
    print(json.dumps(dict(ready=seconds() - start)), flush=True)
    for line in sys.stdin:
        asked = query[:1] if line.strip() == "single" else query
        start, began = seconds(), time.perf_counter()
        rows = find(asked)
        said = dict(cpu=seconds() - start, wall=time.perf_counter() - began, rows=rows.tolist())
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
