import numpy as np
import pytest

from reidkit.data import LSVID
from reidkit.errors import UserError


@pytest.mark.slow
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
