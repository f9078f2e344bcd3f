import pytest

from reidkit.data import DukeMTMCVideoReID
from reidkit.errors import UserError


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
    (root / "query/0003/0009").rename(root / "gallery/0003/0009")
    (root / "gallery/0003/0009/0003_C4_F0001_X1.jpg").unlink()
    with pytest.raises(UserError, match="gallery/0003/0009 holds no frames"):
        DukeMTMCVideoReID(str(tmp_path)).splits()
