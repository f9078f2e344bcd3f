#!/usr/bin/env python
"""Do stated rates hold? Random galleries of test people, searched for people in them and not.

  python tools/gallery_rates.py RUN data=synthped settings.data_root=data --galleries 20

RUN has held people out (data=<set>_val); or --calibrate names a domain whose training people it
has not seen. The galleries are of the test people of data=. Each draws
half of them, and half of the cameras to enrol from; all images of the other cameras are searches,
of the people enrolled and of the others. Rates are stated with fpir=."""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

from reidkit.cli.common import entry_point

RATES = (0.01, 0.1)


def main(argv: list[str]) -> int:
    """Draw, search, print a table."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("run", help="run folder")
    command.add_argument("overrides", nargs="*", metavar="key=value")
    command.add_argument("--domains", nargs="+", default=["source"])
    command.add_argument("--calibrate", help="domain whose train split calibrates")
    command.add_argument("--galleries", type=int, default=20)
    command.add_argument("--images", type=int, default=2, help="enrolled of each person, at most")
    args = command.parse_args(argv)
    import reidkit
    from reidkit.engine.calibrate import calibrate_open_set
    from reidkit.engine.evaluate import build_evaluator, embed_test
    from reidkit.errors import UserError
    from reidkit.evaluation.open_set import threshold_table
    from reidkit.structures import Embedding

    extractor = reidkit.load(args.run, args.overrides)
    run = extractor.run
    if args.calibrate:
        known = calibrate_open_set(run.cfg, run.model, run.domains, args.calibrate)
        extractor.open_set = known  # in place of the run's own
    elif extractor.open_set is None:
        raise UserError(
            f"{args.run} has no thresholds: it held nobody out, or is of an earlier version. Train "
            "it with data=<set>_val, or name a domain whose training people it has not seen: "
            "--calibrate target"
        )
    print(threshold_table(extractor.open_set))
    head = ["domain", "curve", *(f"FPIR {rate:g}" for rate in RATES), "FNIR", "error"]
    print(f"| {' | '.join([*head, 'warned of another domain'])} |")
    for domain in args.domains:
        both = embed_test(run.cfg, run.model, run.domains, domain, build_evaluator(run.cfg))
        sides = [both[name] for name in ("query", "gallery")]
        rows = Embedding.cat([embedding for embedding, _ in sides])
        people = np.concatenate([split.identities for _, split in sides])
        cameras = np.concatenate([split.cameras for _, split in sides])
        drawn = [
            _drawn(extractor, rows, people, cameras, np.random.default_rng(n), args.images)
            for n in range(args.galleries)
        ]
        for text in _lines(domain, drawn):
            print(text)
    return 0


def _drawn(extractor, rows, people, cameras, rng, images):  # type: ignore[no-untyped-def]
    """Of one gallery: share of false answers at each rate, of misses, and (probability, right)."""
    from reidkit.gallery import Gallery

    known = rng.permutation(np.unique(people[people > 0]))
    inside = np.isin(people, known[: len(known) // 2])
    places = rng.permutation(np.unique(cameras))
    away = np.isin(cameras, places[len(places) // 2 :])
    pool = rng.permutation(np.flatnonzero(inside & ~away))
    turn = [(people[pool[:i]] == people[row]).sum() for i, row in enumerate(pool)]
    enrolled = np.sort(pool[np.array(turn) < images])
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder, "g"), extractor)
        ids, own = people[enrolled], extractor.fingerprint
        gallery.enrol(ids, rows[enrolled.tolist()], cameras[enrolled], model=own)
        searched = np.flatnonzero(away & (people > 0) & (np.isin(people, ids) | ~inside))
        there, said = inside[searched], []
        for rate in RATES:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always", UserWarning)
                answers = gallery.search(rows[searched.tolist()], 1, fpir=rate, model=own)
            answered = np.array([one.known for one in answers])
            right = [
                a.candidates[0].identity == str(p)
                for a, p in zip(answers, people[searched], strict=True)
            ]
            right = np.array(right) & there
            said.append((answered[~there].mean(), 1 - (answered & right)[there].mean()))
        shift = gallery.snapshot.notes.get("shift")
        place = shift.place if shift is not None else np.nan
        weight = np.where(there, 0.5 / there.sum(), 0.5 / (~there).sum())
        size, mean = len(np.unique(ids)), len(ids) / len(np.unique(ids))
        distances = np.array([one.distance for one in answers])
        curves = {
            name: extractor.open_set.probability(size, mean, curve=name)(distances)
            for name in ("isotonic", "logistic")
        }
    other = any("than those calibrated on" in str(one.message) for one in heard)
    return said, curves, right, weight, other, place


def _lines(domain, drawn):  # type: ignore[no-untyped-def]
    """Means over the galleries, with the number of which a rate is within 1.5 times the stated."""
    rates = np.array([[one[0] for one in said] for said, *_ in drawn])
    misses = np.array([[one[1] for one in said] for said, *_ in drawn])
    right = np.concatenate([one[2] for one in drawn])
    weight = np.concatenate([one[3] for one in drawn]) / len(drawn)
    cells = " | ".join(
        f"{mean:.4f} ({mean / rate:.2f}x; {low:.3f} to {high:.3f})"
        for rate, mean, low, high in zip(
            RATES, rates.mean(0), rates.min(0), rates.max(0), strict=True
        )
    )
    lost = " / ".join(f"{one:.3f}" for one in misses.mean(0))
    for name in drawn[0][1]:
        p = np.concatenate([one[1][name] for one in drawn])
        group = np.minimum((p * 10).astype(int), 9)
        error = sum(abs((weight * (p - right))[group == g].sum()) for g in range(10))
        places = np.array([one[5] for one in drawn])
        warned = f"{sum(one[4] for one in drawn)} of {len(drawn)}"
        warned += f", position {np.nanmin(places):.2f} to {np.nanmax(places):.2f}"
        yield f"| {domain} | {name} | {cells} | {lost} | {error:.4f} | {warned} |"


if __name__ == "__main__":
    entry_point(main)
