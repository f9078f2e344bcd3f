"""The examples of linking and tracking, by a ready network whose weights are random."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from reidkit.synthped.footage import Footage
from reidkit.synthped.footage_files import write_footage

ROOT = Path(__file__).parents[2]


def run(example, *arguments):
    main = runpy.run_path(str(ROOT / "examples" / example))["main"]
    main(*map(str, arguments), "input.size=(64,32)", "settings.device=cpu")


@pytest.mark.slow
def test_tracks_are_linked_and_followed(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Footage, "frames", 16)
    recordings = [Footage(camera, walk=4, people=8) for camera in (2, 3)]
    place = write_footage(tmp_path / "footage", recordings, show=False)
    run(
        "link.py", "osnet_x0_25", place, tmp_path / "linked", f"weights={weights}",
        "threshold=0.1",
    )  # fmt: skip
    text = capsys.readouterr().out
    assert "cam3, track 1: person" in text and "people, as given" in text
    camera = place / "cam3"
    detections = [line.split(",") for line in (camera / "tracks.txt").read_text().splitlines()]
    early = [[row[0], "-1", *row[2:]] for row in detections[:20]]
    (tmp_path / "det.txt").write_text("\n".join(",".join(row) for row in early))
    out = tmp_path / "out.txt"
    run(
        "tracker.py", "osnet_x0_25", camera, tmp_path / "det.txt", out,
        f"weights={weights}",
    )  # fmt: skip
    rows = np.loadtxt(out, delimiter=",")
    assert len(rows) == 20 and rows[:, 0].tolist() == sorted(rows[:, 0])
    assert f"{int(rows[:, 1].max())} tracks" in capsys.readouterr().out
    for number in np.unique(rows[:, 0]):
        tracks = rows[rows[:, 0] == number, 1]
        assert len(set(tracks)) == len(tracks)
