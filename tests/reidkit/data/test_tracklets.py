"""Readers of tracklets: true folders and tables of tiny sets, with the traps of the formats."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from reidkit.data import ILIDSVID, LSVID, MARS, PRID2011, DukeMTMCVideoReID, TrackletSplit
from reidkit.data.tracklets import in_time
from reidkit.errors import UserError


def frames(identity, camera, track, count):
    return [f"{identity}C{camera}T{track:04d}F{f:03d}.jpg" for f in range(1, count + 1)]


def write_mars(root, put):
    """Two people to train on, two to test on, junk and distractor; CR-LF; one long tracklet."""
    train = [("0002", 2, 1, 1, 3), ("0002", 2, 4, 2, 1), ("0009", 9, 2, 1, 2)]
    test = [("00-1", -1, 1, 1, 2), ("0000", 0, 3, 1, 2)]
    test += [("0004", 4, 1, 1, 12), ("0004", 4, 2, 2, 2), ("0006", 6, 5, 1, 1)]
    for part, rows in (("train", train), ("test", test)):
        names, table = [], []
        for folder, identity, camera, track, count in rows:
            own = frames(folder, camera, track, count)
            table.append([len(names) + 1, len(names) + count, identity, camera])
            names += own
            put(root / f"bbox_{part}/{folder}", own)
        (root / "info").mkdir(exist_ok=True)
        (root / f"info/{part}_name.txt").write_bytes("".join(f"{n}\r\n" for n in names).encode())
        key = f"track_{part}_info"
        savemat(root / f"info/tracks_{part}_info.mat", {key: np.array(table, np.int32)})
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([[3, 5]], np.int32)})


@pytest.fixture
def mars(tmp_path, write_images):
    write_mars(tmp_path / "mars", write_images)
    return tmp_path


def test_mars(mars):
    reader = MARS(str(mars))
    splits = reader.splits()
    train, query, gallery = (splits[n] for n in ("train", "query", "gallery"))
    assert reader.protocol == "mars-official"
    assert (train.identities.tolist(), train.cameras.tolist()) == ([2, 2, 9], [1, 4, 2])
    assert train.lengths.tolist() == [3, 1, 2]
    assert train.paths[0] == "bbox_train/0002/0002C1T0001F001.jpg"
    assert gallery.identities.tolist() == [-1, 0, 4, 4, 6]  # junk is text in the names: "00-1"
    assert query.identities.tolist() == [4, 6] and set(query.paths) <= set(gallery.paths)
    assert query.frames_of(0)[9:] == tuple(
        f"bbox_test/0004/0004C1T0001F{f:03d}.jpg" for f in (10, 11, 12)
    )
    assert query.fingerprint() != gallery.select([2, 4]).fingerprint() or query.name == "query"
    assert reader.describe()[0] == (
        "mars/train: 3 tracklets, 2 identities, 3 cameras (the published set has 8,298 tracklets)"
    )


def test_mars_without_queries_in_the_gallery(mars):
    gallery = MARS(str(mars), gallery="minus_queries").splits()["gallery"]
    assert gallery.identities.tolist() == [-1, 0, 4]
    with pytest.raises(ValueError, match="gallery must be"):
        MARS(str(mars), gallery="some")


def test_mars_tables_of_another_archive_are_refused(mars):
    info = mars / "mars/info"
    names = (info / "train_name.txt").read_text().split()
    (info / "train_name.txt").write_text("\n".join(names[1:] + names[:1]))
    with pytest.raises(UserError, match="not of the same archive"):
        MARS(str(mars)).splits()
    (info / "train_name.txt").write_text("\n".join(names[:-1]))
    with pytest.raises(UserError, match="do not fit the 5 lines of train_name.txt"):
        MARS(str(mars)).splits()
    (info / "tracks_train_info.mat").write_bytes(b"no matlab")
    with pytest.raises(UserError, match="no readable array 'track_train_info'"):
        MARS(str(mars)).splits()


def test_frames_are_in_order_of_their_numbers():
    assert in_time(["x/f_10.png", "x/f_9.png", "x/f_100.png"]) == [
        "x/f_9.png",
        "x/f_10.png",
        "x/f_100.png",
    ]
    with pytest.raises(UserError, match="does not tell the frame's number"):
        in_time(["x/frame.png"])


def test_a_tracklet_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"row 1\) has no frames"):
        TrackletSplit.of("toy", "train", tmp_path, [["a1.jpg"], []], [1, 2], [1, 1])


def write_prid(root, put, people=24):
    for camera in "ab":
        for person in range(1, people + 1):
            count = 22 if person % 2 else 5  # every second one has too few frames
            names = [f"{f:04d}.png" for f in range(1, count + 1)]
            put(root / f"multi_shot/cam_{camera}/person_{person:04d}", names, 8, 4)
    used = [f"person_{p:04d}" for p in range(1, people + 1, 2)]
    splits = [{"train": used[i : i + 6], "test": used[:i] + used[i + 6 :]} for i in range(6)]
    splits += splits[:4]
    (root / "splits_prid2011.json").write_text(json.dumps(splits))
    return used, splits


def test_prid2011(tmp_path, write_images):
    used, splits = write_prid(tmp_path / "prid2011", write_images)
    reader = PRID2011(str(tmp_path), split=3)
    train, query, gallery = (reader.splits()[n] for n in ("train", "query", "gallery"))
    assert reader.protocol == "two-camera" and len(reader.trials()) == 1
    assert len(train) == 12 and set(train.cameras.tolist()) == {1, 2}
    people = [int(name[-4:]) for name in sorted(splits[3]["test"])]
    assert query.identities.tolist() == gallery.identities.tolist() == people
    assert query.paths[0].startswith("multi_shot/cam_a/") and query.lengths[0] == 22
    assert gallery.paths[0].startswith("multi_shot/cam_b/")


def test_prid2011_all_divisions_as_trials(tmp_path, write_images):
    used, splits = write_prid(tmp_path / "prid2011", write_images)
    reader = PRID2011(str(tmp_path), split=None)
    assert list(reader.splits()) == ["query", "gallery"]
    query = reader.splits()["query"]
    for number, trial in enumerate(reader.trials()):
        found = {f"person_{i:04d}" for i in query.identities[trial.query]}
        assert found == set(splits[number]["test"])
        assert (trial.query == trial.gallery).all()
    drawn = PRID2011(str(tmp_path), split=None, splits="random")
    halves = [drawn.halves(drawn.find(), n) for n in range(10)]
    assert all(sorted(a + b) == sorted(used) for a, b in halves)  # only those with 22 frames
    assert len({tuple(a) for a, _ in halves}) > 5


def test_prid2011_says_what_is_wrong(tmp_path, write_images):
    root = tmp_path / "prid2011"
    write_prid(root, write_images)
    (root / "splits_prid2011.json").write_text("{}")
    with pytest.raises(UserError, match="expected a list of ten dicts"):
        PRID2011(str(tmp_path)).splits()
    (root / "splits_prid2011.json").unlink()
    with pytest.raises(UserError, match='(?s)splits_prid2011.json.*splits="random"'):
        PRID2011(str(tmp_path)).splits()
    with pytest.raises(ValueError, match="0..9 or None"):
        PRID2011(str(tmp_path), split=10)


def test_ilidsvid(tmp_path, write_images):
    root, people = tmp_path / "ilidsvid", (1, 2, 4, 7, 30, 300)  # not contiguous
    for camera in (1, 2):
        for p in people:
            names = [f"cam{camera}_person{p:03d}_{f:05d}.png" for f in (99, 100, 1000)]
            write_images(root / f"i-LIDS-VID/sequences/cam{camera}/person{p:03d}", names, 8, 4)
    order = np.array([np.roll(np.arange(1, 7), k) for k in range(10)], np.uint16)
    (root / "train-test people splits").mkdir()
    savemat(
        root / "train-test people splits/train_test_splits_ilidsvid.mat",
        {"ls_set": order},
    )
    reader = ILIDSVID(str(tmp_path), split=1)
    splits = reader.splits()
    assert order[1].tolist() == [6, 1, 2, 3, 4, 5]  # positions, first half is the test set
    assert splits["query"].identities.tolist() == [1, 2, 300]
    assert sorted(set(splits["train"].identities.tolist())) == [4, 7, 30]
    numbers = [path[-9:-4] for path in splits["query"].frames_of(0)]
    assert numbers == ["00099", "00100", "01000"]
    assert len(ILIDSVID(str(tmp_path), split=None).trials()) == 10
    order[1, 0] = 9
    savemat(root / reader.file, {"ls_set": order})
    with pytest.raises(UserError, match="row 1 of ls_set"):
        ILIDSVID(str(tmp_path), split=1).splits()


def test_dukemtmcvideo(tmp_path, write_images):
    root = tmp_path / "dukemtmcvideo"
    write_images(root / "train/0001/0005", [f"0001_C6_F{f:04d}_X3{f:04d}.jpg" for f in (2, 11)])
    for part in ("query", "gallery"):
        names = [f"0003C2F{f:04d}X00{f}.jpg" for f in (9, 10, 100)]
        write_images(root / f"{part}/0003/0001", names)
    write_images(root / "gallery/0003/0002", ["0003_C4_F0001_X1.jpg"])
    write_images(root / "gallery/0080/0003", ["0080_C4_F0001_D1.jpg"])
    splits = DukeMTMCVideoReID(str(tmp_path)).splits()
    assert splits["train"].cameras.tolist() == [6] and splits["train"].lengths.tolist() == [2]
    assert splits["query"].frames_of(0)[0].endswith("F0009X009.jpg")
    assert splits["gallery"].identities.tolist() == [3, 3, 80]
    write_images(root / "gallery/0003/0002", ["0003_C5_F0002_X1.jpg"])
    with pytest.raises(UserError, match="2 people or cameras"):
        DukeMTMCVideoReID(str(tmp_path)).splits()
    (root / "gallery/0003/0002/0003_C5_F0002_X1.jpg").unlink()
    write_images(root / "query/0003/0009", ["0003_C4_F0001_X1.jpg"])
    with pytest.raises(UserError, match="is not in gallery/"):
        DukeMTMCVideoReID(str(tmp_path)).splits()


def test_lsvid(tmp_path, write_images):
    import h5py

    root = tmp_path / "lsvid"
    rows = {
        "train": [("train/data/0000/0000_00_01_0001", 0), ("train/data/0000/0000_00_01_00011", 0)],
        "val": [("val/data/0009/0009_00_02_0001", 9)],
        "test": [("test/data/0001/0001_00_03_0001", 1), ("test/data/0001/0001_00_15_0002", 1)],
    }
    (root / "list_sequence").mkdir(parents=True)
    for part, lines in rows.items():
        text = "".join(f"{prefix} {identity}\n" for prefix, identity in lines)
        (root / f"list_sequence/list_seq_{part}.txt").write_text(text)
        for prefix, _ in lines:
            write_images(root, [f"{prefix}_{f}.jpg" for f in (2, 10, 1)])
    with h5py.File(root / "test/data/info_test.mat", "w") as file:
        file["query"] = np.array([[2.0]])
    splits = LSVID(str(tmp_path)).splits()
    assert splits["train"].lengths.tolist() == [3, 3]  # the longer prefix keeps its frames
    assert [path[-6:] for path in splits["train"].frames_of(0)] == ["_1.jpg", "_2.jpg", "10.jpg"]
    assert splits["train"].identities.tolist() == [1, 1]  # 0 would mean distractor
    assert splits["query"].cameras.tolist() == [15] and len(splits["gallery"]) == 2
    assert splits["query"].paths[0] in splits["gallery"].paths
    assert len(LSVID(str(tmp_path), val=True).splits()["train"]) == 3
    (root / "list_sequence").rename(root / "info")  # as in other copies
    assert len(LSVID(str(tmp_path)).splits()["gallery"]) == 2
    (root / "info/list_seq_train.txt").write_text("train/data/0000/nothing 0\n")
    with pytest.raises(UserError, match="no file of .* starts with"):
        LSVID(str(tmp_path)).splits()
