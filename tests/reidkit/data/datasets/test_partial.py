import pytest

from reidkit.data import PartialILIDS, PartialREID
from reidkit.errors import UserError


def ids(split):
    return split.identities.tolist()


def cams(split):
    return split.cameras.tolist()


def test_partial_sets_have_no_cameras(tmp_path, write_images):
    root = tmp_path / "Partial-REID_Dataset"
    write_images(root / "partial_body_images", ["001_001.jpg", "002_003.jpg"])
    write_images(root / "occluded_body_images", ["002_001.jpg"])
    write_images(root / "whole_body_images", ["001_001.jpg", "002_001.jpg"])
    splits = PartialREID(str(tmp_path)).splits()
    assert list(splits) == ["query", "gallery"]
    assert (ids(splits["query"]), cams(splits["query"])) == ([1, 2], [0, 0])
    assert (ids(splits["gallery"]), cams(splits["gallery"])) == ([1, 2], [1, 1])
    occluded = PartialREID(str(tmp_path), query="occluded")
    assert ids(occluded.splits()["query"]) == [2]
    assert occluded.splits()["query"].label_key == "partial_reid_occluded/query"
    write_images(tmp_path / "Partial_iLIDS/Probe", ["001.jpg", "119.jpg"])
    write_images(tmp_path / "Partial_iLIDS/Gallery", ["001.jpg", "119.jpg"])
    splits = PartialILIDS(str(tmp_path)).splits()
    assert ids(splits["query"]) == ids(splits["gallery"]) == [1, 119]
    write_images(tmp_path / "Partial_iLIDS/Probe", ["me.jpg"])
    with pytest.raises(UserError, match=r"Probe/me.jpg: the name must start with the identity"):
        PartialILIDS(str(tmp_path)).prepare()


def test_digits_that_are_no_number_are_refused(tmp_path, write_images):
    root = tmp_path / "Partial-REID_Dataset"
    write_images(root / "partial_body_images", ["²01_001.jpg"])
    write_images(root / "whole_body_images", ["001_001.jpg"])
    with pytest.raises(UserError, match="²01_001.jpg: the name must start with the identity"):
        PartialREID(str(tmp_path)).splits()
