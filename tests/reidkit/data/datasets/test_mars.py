import numpy as np
import pytest
from scipy.io import savemat

from reidkit.data import MARS
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


@pytest.mark.slow
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
    assert query.fingerprint() == gallery.select([2, 4]).fingerprint()  # the same frames
    assert query.fingerprint() != gallery.select([3, 4]).fingerprint()
    assert reader.describe()[0] == (
        "mars/train: 3 tracklets, 2 identities, 3 cameras (the published set has 8,298 tracklets)"
    )


@pytest.mark.slow
def test_mars_without_queries_in_the_gallery(mars):
    gallery = MARS(str(mars), gallery="minus_queries").splits()["gallery"]
    assert gallery.identities.tolist() == [-1, 0, 4]
    with pytest.raises(ValueError, match="gallery must be"):
        MARS(str(mars), gallery="some")


@pytest.mark.slow
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
