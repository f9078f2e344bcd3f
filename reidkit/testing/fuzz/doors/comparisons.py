"""``reidkit compare`` on two per-query tables."""

from __future__ import annotations

import re
from random import Random

import numpy as np

from reidkit.testing.fuzz.case import Case, Command, Door, Place
from reidkit.testing.fuzz.doors.scores import write_csv
from reidkit.testing.fuzz.mutate import damaged, odd_name, odd_number, put_odd


def _columns(draw: np.random.Generator, count: int) -> dict[str, list]:
    first = draw.integers(1, 30, count)
    return dict(
        query=list(range(count)), file=[f"query/{i:04d}.jpg" for i in range(count)],
        identity=[i % 5 + 1 for i in range(count)], camera=[i % 3 for i in range(count)],
        n_positives=[2] * count, first_rank=first.tolist(),
        AP=draw.uniform(0.05, 1, count).round(6).tolist(),
        INP=draw.uniform(0.05, 1, count).round(6).tolist(),
    )  # fmt: skip


def make(rng: Random, place: Place) -> Case:
    """One comparison."""
    draw = np.random.default_rng(rng.randrange(2**32))
    count = rng.randrange(4, 30)
    tables = [_columns(draw, count), _columns(draw, count)]
    wanted = tuple(100 * float(np.mean(table["AP"])) for table in tables)
    kind = rng.choice(("same", "same", "cell", "cell", "bytes", "file", "columns", "rows"))
    what, refuse, one = kind, False, tables[rng.randrange(2)]
    if kind == "same" and rng.random() < 0.7:
        order = rng.sample(range(count), count)
        for name in one:
            one[name] = [one[name][i] for i in order]
        what = "rows in another order"
    elif kind == "cell":
        name, value = (
            rng.choice(sorted(one)),
            rng.choice((odd_number(rng), odd_name(rng), "", -1, 7)),
        )
        one[name][rng.randrange(count)] = value
        what = f"{name} {str(value)[:20]!r}"
    elif kind == "columns":
        del one[what := rng.choice(("file", "query", "n_positives"))]
        what, refuse = f"no column {what}", True
    elif kind == "rows":
        rows = rng.choice((0, 1, count - 1))
        for name in one:
            one[name] = one[name][:rows]
        what, refuse = f"{rows} rows", rows != count
    for name, table in zip(("a.csv", "b.csv"), tables, strict=True):
        write_csv(place.here / name, table)
    path = place.here / rng.choice(("a.csv", "b.csv"))
    if kind == "bytes":
        data, what = damaged(path.read_bytes(), rng)
        path.write_bytes(data)
    elif kind == "file":
        what = f"{put_odd(path, rng)} in place of a table"

    def check(found: Command) -> str | None:
        if kind != "same":
            return None
        line = next(
            (text for text in found.out.splitlines() if text.strip().startswith("mAP ")), ""
        )
        numbers = [float(text) for text in re.findall(r"[-+]?\d+\.\d+", line)[:2]]
        near = len(numbers) == 2 and np.allclose(numbers, wanted, atol=0.006)
        return "" if near else f"{line.strip()[:60]!r}, right are {wanted}"

    argv = ("compare", "a.csv", "b.csv", "--resamples", "50")
    return Case(f"compare: {what}", lambda: place.command(*argv), check, refuse)


DOOR = Door("comparisons", "compare: two per-query tables", make, share=0.5)
