"""Sequences of MOT's format: as crops of frames, and cut out."""

import csv

import cv2
import numpy as np
import pytest

from reidkit.cli.main import main
from reidkit.data import CropDataset, ImageFolder, ImageTable, MOTSequences
from reidkit.data.datasets.mot import MOTSequence, read_boxes
from reidkit.errors import UserError

HEIGHT, WIDTH, FRAMES = 60, 80, 12


def frame_of(number):
    rng = np.random.default_rng(number)
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))


def write_sequence(folder, tracks=(1, 2, 3, 4), info=True):
    """Each track is a box that moves one pixel a frame, seen in all frames."""
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    lines = []
    for frame in range(1, FRAMES + 1):
        cv2.imwrite(str(folder / f"img1/{frame:06d}.png"), frame_of(frame))
        for place, track in enumerate(tracks):
            lines.append(f"{frame},{track},{1 + 20 * place + frame / 4},11,12.6,40.2,1,1,0.9")
    lines.append("1,99,1,1,10,40,0,1,1")  # to be passed over
    lines.append("1,98,1,1,10,40,1,8,1")  # of another class
    lines.append("1,97,1,1,10,40,1,1,0.1")  # hardly seen
    (folder / "gt/gt.txt").write_text("\n".join(lines) + "\n")
    if info:
        (folder / "seqinfo.ini").write_text(
            f"[Sequence]\nname=x\nimDir=img1\nframeRate=4\nseqLength={FRAMES}\nimWidth={WIDTH}\n"
            f"imHeight={HEIGHT}\nimExt=.png\n"
        )
    return folder


@pytest.mark.parametrize("info", [True, False])
def test_boxes_in_frames_are_crops(tmp_path, info):
    write_sequence(tmp_path / "mot/train/S1", info=info)
    options = dict(every=4, min_height=30)
    reader = MOTSequences(str(tmp_path), "mot", **options)
    splits = reader.splits()
    assert reader.protocol == "single-camera"
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 6, "query": 2, "gallery": 4,
    }  # fmt: skip
    train = splits["train"]
    assert train.boxes[0, 1:].tolist() == [10, 12, 40]  # counted from 0, whole pixels
    assert sorted(set(train.times)) == ([0.0, 1.0, 2.0] if info else [0.0, 0.16, 0.32])
    x = int(train.boxes[0, 0])
    crop = CropDataset(train, (40, 12))[0].images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(crop, frame_of(1)[10:50, x : x + 12, ::-1])


def test_tracks_are_people_of_their_sequence_unless_shared(tmp_path):
    for name in ("S1-DPM", "S1-SDP", "S2"):
        write_sequence(tmp_path / "mot" / name)
    reader = MOTSequences(str(tmp_path), "mot", every=6, min_height=30)
    people = np.concatenate([split.identities for split in reader.splits().values()])
    assert len(set(people.tolist())) == 8
    assert "left out, the same frames as another: S1-SDP" in reader.notes
    shared = MOTSequences(str(tmp_path), "mot", every=6, min_height=30, shared=True)
    splits = shared.splits()
    assert shared.protocol == "market" and splits["train"].num_identities == 2
    assert set(splits["query"].cameras.tolist()) == {1, 2}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "holds no boxes"),
        ("1,-1,1,1,9,9,0.9", "boxes without identities"),
        ("1,2,3", "gt.txt:1: expected frame, id, left"),
        ("1,2,a,1,9,9", "gt.txt:1: expected frame, id, left"),
        ("1,2,nan,1,9,9", "gt.txt:1: expected frame, id, left"),
        ("1.5,2,1,1,9,9", "must be whole numbers"),
        ("0,2,1,1,9,9", "must be whole numbers"),
        ("99,2,1,1,9,9", r"boxes of frame 99, which is not in img1/ \(1 such frames\)"),
    ],
)
def test_lines_that_say_nothing_are_refused(tmp_path, text, reason):
    folder = write_sequence(tmp_path / "S1")
    (folder / "gt/gt.txt").write_text(text)
    with pytest.raises(UserError, match=reason):
        MOTSequence.read(folder)


def test_a_trackers_output_is_read(tmp_path):
    file = tmp_path / "out.txt"
    file.write_text("1 7 1.0 1.0 9 9 -1 -1 -1 -1\n2, 7, 1, 1, 9, 9, 0.8, -1, -1, -1\n")
    boxes = read_boxes(file)
    assert boxes.tracks.tolist() == [7, 7] and boxes.considered.all()
    assert boxes.boxes[0].tolist() == [0, 0, 9, 9] and (boxes.visibility == 1).all()


def test_folders_without_sequences_are_refused(tmp_path):
    (tmp_path / "mot/a").mkdir(parents=True)
    with pytest.raises(UserError, match="no sequence of MOT's format"):
        MOTSequences(str(tmp_path), "mot").prepare()
    with pytest.raises(UserError, match="no box is left in 1 sequences"):
        write_sequence(tmp_path / "mot/b")
        MOTSequences(str(tmp_path), "mot", min_height=500).prepare()


def run(capsys, *arguments):
    status = main(["crops", *map(str, arguments)])
    output = capsys.readouterr()
    assert status == 0, output.err
    return output.out


def test_sequences_are_cut_into_a_folder_that_both_readers_read(tmp_path, capsys):
    for name in ("S1", "S2"):
        write_sequence(tmp_path / "mot" / name)
    options = ["--every", 6, "--min-height", 30, "--shared"]
    out = run(capsys, tmp_path / "mot", "--out", tmp_path / "cut", *options)
    assert f"{tmp_path}/cut: 16 crops of 2 recordings" in out
    files = sorted(path.name for path in (tmp_path / "cut").glob("*.jpg"))
    assert files[0] == "p0001_c1_f000001.jpg" and len(files) == 16
    with open(tmp_path / "cut/crops.csv") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == dict(
        file="p0001_c1_f000001.jpg", identity="1", camera="1", time="0.0", sequence="S1",
        track="1", frame="1",
    )  # fmt: skip
    table = ImageTable(str(tmp_path), "cut").splits()
    folder = ImageFolder(str(tmp_path), "cut", identity=r"^p(\d+)_", camera=r"_c(\d+)_").splits()
    for name, split in table.items():
        assert split.paths == folder[name].paths
        assert split.identities.tolist() == folder[name].identities.tolist()
        assert split.cameras.tolist() == folder[name].cameras.tolist()
    pixels = cv2.imread(str(tmp_path / "cut" / files[0]))
    x = int(1 + 1 / 4 - 1)
    assert np.abs(pixels.astype(int) - frame_of(1)[10:50, x : x + 12]).mean() < 6


def test_videos_are_cut_by_a_table_of_boxes(tmp_path, capsys):
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT)
    )
    for frame in range(1, FRAMES + 1):
        writer.write(frame_of(frame))
    writer.release()
    boxes = tmp_path / "a.csv"
    boxes.write_text(
        "frame,identity,x1,y1,x2,y2\n1,ann,10,5,30,55\n3,bob,0,0,20,50\n3,ann,9,5,29,55\n"
    )
    common = ["--boxes", boxes, "--every", 1, "--min-height", 30]
    out = run(capsys, tmp_path / "a.avi", *common, "--out", tmp_path / "cut")
    assert "3 crops of 1 recordings" in out
    names = ["p0001_c1_f000001.jpg", "p0001_c1_f000003.jpg", "p0002_c1_f000003.jpg"]
    assert sorted(path.name for path in (tmp_path / "cut").glob("*.jpg")) == names
    pixels = cv2.imread(str(tmp_path / "cut" / names[1]))
    assert np.abs(pixels.astype(int) - frame_of(3)[5:55, 9:29]).mean() < 12
    with open(tmp_path / "cut/crops.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["time"] for row in rows] == ["0.0", "0.2", "0.2"]
    assert [row["track"] for row in rows] == ["ann", "bob", "ann"]
    (tmp_path / "b.csv").write_text("frame,identity,x1,y1,x2,y2\n1,bob,10,5,30,55\n")
    both = [tmp_path / "a.avi", tmp_path / "a.avi", "--boxes", boxes, tmp_path / "b.csv"]
    run(capsys, *both, *common[2:], "--shared", "--out", tmp_path / "two")
    assert (tmp_path / "two/p0002_c2_f000001.jpg").is_file()  # bob is bob in both
    for text, reason in (
        ("frame,identity,x1,y1,x2,y2\n91,ann,1,1,30,50\n", "ends after frame 12, and frame 91"),
        ("frame,identity\n1,ann\n", "expected columns frame, identity, and x1"),
        ("frame,identity,x1,y1,x2,y2\n0,ann,1,1,30,50\n", "frames count from 1"),
    ):
        boxes.write_text(text)
        assert main(["crops", str(tmp_path / "a.avi"), "--boxes", str(boxes), "--out", "x"]) == 2
        import re

        assert re.search(reason, capsys.readouterr().err)
    assert main(["crops", str(tmp_path / "a.avi"), "--out", "x"]) == 2
    assert "each video needs one" in capsys.readouterr().err
    (tmp_path / "no.mp4").write_bytes(b"no video")
    assert main(["crops", str(tmp_path / "no.mp4"), "--boxes", str(boxes), "--out", "x"]) == 2
    assert "no video that can be read" in capsys.readouterr().err
